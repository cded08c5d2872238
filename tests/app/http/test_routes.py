"""Rules that hold for every route."""

import ast
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.testclient import TestClient

import app
from app.http.services import Services
from app.kinds import KINDS
from app.kinds.exact import NOT_NULL
from tests.support.problems import error_classes, examples

# Names of modules, services and functions that talk to the database, the storage or the disk, and so take a
# while.
BLOCKING_MODULES = {"repository", "claims", "reaper", "workers", "service", "storage", "filling"}
BLOCKING_SERVICES = tuple(
    f"services.{each.name}." for each in fields(Services) if "Service" in str(each.type)
)
BLOCKING_FUNCTIONS = {"parse_params", "_view", "_find_view", "open", "sleep"}
# What the paths of the routes that raise some errors contain.
SUBJECTS = {
    "UnknownJob": "/v1/",
    "UnknownArtifact": "/jobs/{job_id}/artifacts/",
    "JobNotEnded": "/jobs/{job_id}",
    "JobInUse": "_id}",
    "UnknownImage": "/images/{image_id}",
    "ImageInUse": "/images/{image_id}",
    "UnknownDataset": "/datasets/{dataset}",
    "DatasetInUse": "/datasets/{dataset}",
    "ImageInSet": "/images/{image_id}",
    "UnknownNetwork": "/networks/{name}",
    "NetworkInUse": "/networks/{name}",
}
# So that the test cannot rot: there were this many async functions when it was written.
AT_LEAST = 10


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{_name(value)}.{attribute}"
        case _:
            return ""


def _own_nodes(function: ast.AsyncFunctionDef) -> list[ast.AST]:
    """The nodes of a function without those of functions defined in it."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.medium
def test_no_async_function_calls_what_blocks() -> None:
    functions = 0
    wrong = []
    for path in Path(app.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.AsyncFunctionDef):
                continue
            functions += 1
            for inner in _own_nodes(node):
                if isinstance(inner, ast.Call):
                    name = _name(inner.func)
                    if name.startswith(BLOCKING_SERVICES):
                        wrong.append(f"{path.name}:{inner.lineno} {name}")
                    if BLOCKING_MODULES & set(name.split(".")[:-1]) or name in BLOCKING_FUNCTIONS:
                        wrong.append(f"{path.name}:{inner.lineno} {name}")
    assert wrong == []
    assert functions >= AT_LEAST


def test_the_description_is_complete(client: TestClient) -> None:
    description = client.get("/v1/openapi.json").json()
    schemas = description["components"]["schemas"]
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description))
    assert {"Problem", "StyleTransferParams"} <= set(references) <= set(schemas)
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("description"), where
            if method == "post" and "requestBody" not in operation:
                assert "{" in path, where
    body = description["paths"]["/v1/style-transfer"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["content"]


def test_a_job_that_goes_on_from_another_may_leave_out_what_that_had(client: TestClient) -> None:
    schemas = client.get("/v1/openapi.json").json()["components"]["schemas"]
    painting = schemas["StyleTransferParams"]
    assert "required" not in painting
    assert painting["anyOf"] == [
        {"required": ["content", "style"]},
        {"required": ["continue_from"], "properties": {"continue_from": NOT_NULL}},
    ]
    assert schemas["DeepDreamParams"]["required"] == ["image"] and "anyOf" not in schemas["DeepDreamParams"]


@pytest.mark.medium
def test_params_and_results_have_names_of_their_own(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    derived = get_openapi(title="", version="", routes=client.app.routes)["components"]["schemas"]
    seen: dict[str, Any] = {}
    for spec in KINDS.values():
        for model in (spec.params, spec.result):
            schema = model.model_json_schema()
            for name, each in {**schema.pop("$defs", {}), model.__name__: schema}.items():
                assert seen.setdefault(name, each) == each, name
    # A value of JSON is the same everywhere.
    assert seen.keys() & derived.keys() <= {"JsonValue"}


def test_every_documented_problem_is_one_of_an_error_that_the_route_can_raise(client: TestClient) -> None:
    description = client.get("/v1/openapi.json").json()
    classes = {cls.__name__: cls for cls in error_classes()}
    seen = set()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for where, example in examples(operation).items():
                status, name = where.split()
                assert example["status"] == int(status), (method, path)
                originals = [(e.status, e.type) for e in classes[name].examples()]
                assert (example["status"], example["type"]) in originals, (method, path)
                assert ("field" in example) == bool(example["errors"]), (method, path)
                assert SUBJECTS.get(name, "") in path, (method, path)
                seen.add(name)
            if "{" in path:
                assert examples(operation), (method, path)
    assert SUBJECTS.keys() <= seen


@pytest.mark.medium
def test_examples_are_taken_by_the_service_that_gives_them(client: TestClient, image_id: str) -> None:
    description = client.get("/v1/openapi.json").json()
    content = description["paths"]["/v1/style-transfer"]["post"]["requestBody"]["content"]
    example = {**content["application/json"]["example"], "content": image_id, "style": [image_id]}
    assert client.post("/v1/style-transfer", json=example).status_code == 202
