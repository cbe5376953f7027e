"""Full validation with the `fhir.resources` R4B models: strict mode, and the explanation of what was refused.

The library costs hundreds of times the fast reader and overflows the stack on deep nesting, so size and depth are
bounded before it, and it is loaded on first use. Codes of required bindings it does not check are checked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cds_service.domain.text import bounded
from cds_service.errors import InvalidResource
from cds_service.fhir.bindings import Problem, binding_problems
from cds_service.fhir.compiled import is_known_valid

# The service's own JSON depth; far below where the library overflows (a Bundle in a Bundle, 80 deep).
MAX_DEPTH = 32
MAX_BYTES = 1024 * 1024
MAX_PROBLEMS = 50

_RELEASE = "R4B"


def require_valid(document: bytes) -> None:
    """Raise InvalidResource with every problem when the document is not valid R4B; for strict mode."""
    if len(document) <= MAX_BYTES and is_known_valid(document):
        return
    problems = explain(document)
    if problems:
        where, text = problems[0]
        raise InvalidResource(text, where=where, details=tuple(problems[1:]))


def explain(document: bytes) -> list[Problem]:
    """Problems of a resource or Bundle as (FHIRPath-like expression, text), at most MAX_PROBLEMS; empty when valid."""
    if len(document) > MAX_BYTES:
        return [("", f"is larger than {MAX_BYTES} bytes")]
    try:
        resource = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [("", "is not JSON, or nested too deeply")]
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return [("resourceType", "is missing")]
    if _is_deeper(resource, MAX_DEPTH):
        return [("", f"is nested deeper than {MAX_DEPTH} levels")]
    name = bounded(resource["resourceType"])
    problems = [*_library_problems(resource, name), *binding_problems(resource, name)]
    return problems[:MAX_PROBLEMS]


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep, found without recursion."""
    layer: list[object] = [value]
    for _ in range(levels + 1):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not layer:
            return False
    return True


def _library_problems(resource: dict[str, Any], name: str) -> Iterator[Problem]:
    from fhir.resources.R4B import get_fhir_model_class  # loaded on first use: it costs memory and start-up time
    from pydantic import ValidationError

    try:
        model = get_fhir_model_class(resource["resourceType"])
    except (KeyError, ValueError):
        yield name, f"is not a resource type of FHIR {_RELEASE}"
        return
    try:
        model.model_validate(resource)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            yield _expression(name, problem["loc"]), bounded(str(problem["msg"]), 200)
    except (KeyError, ValueError, TypeError, AttributeError):
        # The library looks contained resources up by name and raises plain errors for names it does not know.
        yield name, "holds a resource the R4B models do not know"


def _expression(name: str, location: tuple[int | str, ...]) -> str:
    """`Bundle.entry[3].resource.status` from the library's path."""
    text = name
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{bounded(step)}"
    return bounded(text, 200)
