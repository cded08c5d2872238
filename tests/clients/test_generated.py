"""What is derived from the service's description is what that says now."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import generate
import impasto_client
from app.kinds import KINDS
from impasto_client import AsyncClient, Client
from impasto_client._generated import options
from impasto_client._generated.kinds import KINDS as KNOWN

ROOT = Path(__file__).parents[2]
GENERATOR = Path(generate.__file__)


@pytest.mark.medium
def test_it_is_up_to_date() -> None:
    for name, text in generate.generate().items():
        assert (generate.TARGET / name).read_text() == text, f"run python {GENERATOR.relative_to(ROOT)}"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_a_method_and_every_param_is_there(kind: str) -> None:
    params = KINDS[kind].params
    pictures = {name: mark.many for name, mark in params.picture_fields().items()}
    assert dict(KNOWN[kind].pictures) == pictures
    continued = [name for name, mark in params.picture_fields().items() if mark.states]
    assert [*KNOWN[kind].continued] == continued
    required = {name for name, field in params.model_fields.items() if field.is_required()}
    for client in (Client, AsyncClient):
        signature = inspect.signature(getattr(client, kind))
        arguments = [name for name in signature.parameters if name not in ("self", "options")]
        assert arguments[: len(required)] == sorted(required, key=arguments.index)
        # What is required may be left out by a job that goes on from another.
        bare = {name for name in arguments if signature.parameters[name].default is inspect.Parameter.empty}
        assert bare == (set() if continued else required)
        assert set(arguments) == required | pictures.keys()
        shown = get_type_hints(_options(kind))
        call = {"priority", "reproducible", "idempotency_key"}
        assert set(arguments) | shown.keys() - call == params.model_fields.keys()
        # None of them hides what every call takes.
        assert not call & params.model_fields.keys()


def _options(kind: str) -> type:
    name = "".join(part.capitalize() for part in kind.split("_")) + "Options"
    found = getattr(options, name)
    assert isinstance(found, type)
    return found


PAIRS = [
    (name, f"Async{name}")
    for name in sorted(vars(impasto_client))
    if inspect.isclass(getattr(impasto_client, name)) and hasattr(impasto_client, f"Async{name}")
]


def test_both_clients_have_the_same_methods() -> None:
    assert ("Client", "AsyncClient") in PAIRS and ("Job", "AsyncJob") in PAIRS
    pairs = [(getattr(impasto_client, a), getattr(impasto_client, b)) for a, b in PAIRS]
    blocking, waiting = Client("http://127.0.0.1:1"), AsyncClient("http://127.0.0.1:1")
    for name, value in vars(blocking).items():
        if not name.startswith("_") and name != "url":
            pairs.append((type(value), type(getattr(waiting, name))))
    blocking.close()
    for one, other in pairs:
        assert _public(one) == _public(other)


def _public(cls: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(member).parameters) if callable(member) else []
        for name, member in inspect.getmembers(cls)
        if not name.startswith("_")
    }


def test_it_imports_httpx_and_pydantic_alone() -> None:
    used = set()
    for path in (GENERATOR.parent / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names):
                    used |= {name.name.partition(".")[0] for name in names}
                case ast.ImportFrom(str(module)):
                    used.add(module.partition(".")[0])
    assert used - sys.stdlib_module_names == {"httpx", "pydantic", "impasto_client"}


@pytest.mark.medium
def test_the_client_needs_nothing_of_the_service() -> None:
    program = (
        "import sys, impasto_client, impasto_client.types\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'app', 'models', 'worker', 'torch'}])"
    )
    source = ROOT / "clients" / "python" / "src"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(source)}, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
