"""Rules that hold for every route."""

import ast
import json
import re
from pathlib import Path

from fastapi.testclient import TestClient

import app

# Names of modules and functions that talk to the database, the storage or the disk, and so take a while.
BLOCKING_MODULES = {"repository", "claims", "reaper", "workers", "pictures", "uploads", "storage"}
BLOCKING_FUNCTIONS = {"create", "submit", "resubmit", "remove_job", "view", "find_view", "open", "sleep"}
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
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    examples = response["content"]["application/problem+json"]["examples"]
                    assert {example["value"]["status"] for example in examples.values()} == {int(status)}, (
                        where
                    )
            if method == "post" and "requestBody" not in operation:
                assert "{" in path, where
    body = description["paths"]["/v1/style-transfer"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["content"]


def test_examples_are_taken_by_the_service_that_gives_them(client: TestClient, image_id: str) -> None:
    description = client.get("/v1/openapi.json").json()
    content = description["paths"]["/v1/style-transfer"]["post"]["requestBody"]["content"]
    example = {**content["application/json"]["example"], "content": image_id, "style": [image_id]}
    assert client.post("/v1/style-transfer", json=example).status_code == 202
