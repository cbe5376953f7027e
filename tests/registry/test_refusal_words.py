"""What the registry and the loaders of models refuse is said in Spanish as well: each sentence has its words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import getsource
from types import ModuleType

import pytest

from cds_service.cdshooks.wording import words
from cds_service.errors import BadRequest, ConfigurationError, Conflict
from cds_service.inference import artifact, predictor, served, session, state_model, tiers
from cds_service.services import reasons, registry, verdict
from cds_service.web.console.refusals import refusal_text

RAISED = {one.__name__ for one in (BadRequest, Conflict, ConfigurationError)}
MODULES = (registry, verdict, reasons, artifact, served, predictor, state_model, session, tiers)


def sentences(module: ModuleType) -> Iterator[str]:
    """The first argument of each refusal that the module raises, whatever it names as `x`."""
    for node in ast.walk(ast.parse(getsource(module))):
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call) and getattr(raised.func, "id", "") in RAISED:
            yield _text(raised.args[0])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    assert isinstance(node, ast.Constant)
    return str(node.value)


REFUSED = sorted({text for module in MODULES for text in sentences(module)})


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_is_said_in_spanish_and_as_it_is_in_english(text: str) -> None:
    assert refusal_text(text, words("en")) == text
    assert refusal_text(text, words("es")) not in (None, text)


def test_all_were_found() -> None:
    assert len(REFUSED) >= 33


def test_what_is_of_neither_stays_as_it_is() -> None:
    assert refusal_text("manifest.json: model.onnx has another digest", words("es")) is None
