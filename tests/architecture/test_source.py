"""What the source looks like whoever wrote it: small modules and functions, nothing left to do, libraries at home."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("cds_service", "training", "bench", "tests")
SOURCES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
PRODUCT = [path for path in SOURCES if path.relative_to(REPOSITORY).parts[0] in ("cds_service", "training")]

MOST_LINES, MOST_FUNCTION_LINES, MOST_ARGUMENTS = 250, 50, 6

# Each library has one home (docs/architecture.md): another module that imports it is in the wrong place.
HOMES = {
    "flask": ("web/", "app.py", "cli/"),
    "werkzeug": ("web/",),
    "fhir": ("fhir/conformance.py", "fhir/compiled.py"),
    "hl7apy": ("hl7/conformance.py",),
    "sqlalchemy": (
        "storage/",
        "runtime.py",
        "beside.py",
        "services/read_prediction.py",
        "services/replay_message.py",
        "services/stored_findings.py",
        "services/stored_readings.py",
        "services/read_labels.py",
        "services/export_labels.py",
        "services/import_history.py",
        "services/retrain.py",
        "services/watch.py",
        "services/models.py",
        "services/overlays.py",
        "services/confirm_label.py",
        "services/counting.py",
        "services/dashboard.py",
        "services/roll_up.py",
        "services/review.py",
        "services/review_lists.py",
        "services/similar_cases.py",
    ),
    "alembic": ("storage/",),
    "psycopg": ("storage/postgres.py",),
    "pyarrow": ("storage/parquet.py",),
    "onnxruntime": ("inference/",),
    "marshmallow": (
        "cdshooks/schemas.py",
        "cdshooks/feedback.py",
        "web/schemas.py",
        "web/openapi.py",
        "web/operations.py",
        "web/label_body.py",
    ),
    "apispec": ("web/openapi.py",),
    "granian": ("web/",),
    "greenlet": ("rounds.py", "stages.py"),
    "prometheus_client": ("monitoring/",),
    "cryptography": ("storage/identity.py", "cdshooks/jwks.py", "cdshooks/key_source.py"),
    "jwt": ("cdshooks/",),
    "httpx": ("fhir/client.py",),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path: Path) -> set[str]:
    """The packages a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}

    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = [
        f"{name_of(path)}:{function.name}"
        for path in SOURCES
        for function in functions(path)
        if function.end_lineno is not None and function.end_lineno - function.lineno + 1 > MOST_FUNCTION_LINES
    ]

    assert too_long == []


def test_no_function_takes_more_arguments_than_can_be_told_apart() -> None:
    too_many = [
        f"{name_of(path)}:{function.name}"
        for path in PRODUCT
        for function in functions(path)
        if len(
            {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
            - {"self", "cls"}
        )
        > MOST_ARGUMENTS
    ]

    assert too_many == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK", "NotImplementedError()", "breakpoint("])
def test_nothing_is_left_to_do(word: str) -> None:
    pattern = re.compile(rf"(?<![\w\"']){re.escape(word)}")
    found = [name_of(path) for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))]

    assert [name for name in found if name != name_of(Path(__file__))] == []


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_used_in_its_home_only(library: str) -> None:
    package = REPOSITORY / "cds_service"
    users = [str(path.relative_to(package)) for path in package.rglob("*.py") if library in imported(path)]

    assert [user for user in users if not user.startswith(HOMES[library])] == []


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a handler of everything neither raises nor says anything."""
    is_broad = handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )
    speaks = any(isinstance(node, ast.Raise | ast.Call) for statement in handler.body for node in ast.walk(statement))
    return is_broad and not speaks


def test_nothing_catches_everything_silently() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    ]

    assert found == []


def test_the_recursion_limit_is_never_raised() -> None:
    """Deep documents then end the process instead of the request (THREATS 4)."""
    assert [name_of(path) for path in PRODUCT if "setrecursionlimit" in path.read_text(encoding="utf-8")] == []


def test_models_are_never_unpickled() -> None:
    assert [name_of(path) for path in PRODUCT if {"pickle", "joblib", "dill"} & imported(path)] == []
