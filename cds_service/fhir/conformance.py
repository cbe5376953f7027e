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

# The service's own JSON depth; far below where the library overflows (a Bundle in a Bundle, 80 deep).
MAX_DEPTH = 32
MAX_BYTES = 1024 * 1024
MAX_PROBLEMS = 50

_RELEASE = "R4B"

# Required bindings of R4B on the members this service decides by, and the resource types it looks into.
_COMMON = frozenset({"cancelled", "entered-in-error", "unknown"})
_STATUS = {
    "Observation": _COMMON | {"registered", "preliminary", "final", "amended", "corrected"},
    "Encounter": _COMMON | {"planned", "arrived", "triaged", "in-progress", "onleave", "finished"},
}
_GENDERS = frozenset({"male", "female", "other", "unknown"})
_COMPARATORS = frozenset({"<", "<=", ">=", ">"})
_CONDITION_CODES = {
    "clinicalStatus": frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"}),
    "verificationStatus": frozenset(
        {"unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"}
    ),
}
_NOT_BOUND = "is not a code of its required value set"

Problem = tuple[str, str]


def require_valid(document: bytes) -> None:
    """Raise InvalidResource with every problem when the document is not valid R4B; for strict mode."""
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
    problems = [*_library_problems(resource, name), *_binding_problems(resource, name)]
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


def _binding_problems(resource: dict[str, Any], name: str) -> Iterator[Problem]:
    entries = resource.get("entry")
    if name == "Bundle" and isinstance(entries, list):
        for index, entry in enumerate(entries):
            inner = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(inner, dict):
                yield from _resource_bindings(inner, f"Bundle.entry[{index}].resource")
    else:
        yield from _resource_bindings(resource, name)


def _resource_bindings(resource: dict[str, Any], where: str) -> Iterator[Problem]:
    kind = resource.get("resourceType")
    statuses = _STATUS.get(kind) if isinstance(kind, str) else None
    if statuses is not None and not _is_code(resource.get("status"), statuses):
        yield f"{where}.status", _NOT_BOUND
    if kind == "Patient" and not _is_code(resource.get("gender", "unknown"), _GENDERS):
        yield f"{where}.gender", _NOT_BOUND
    if kind == "Condition":
        for member, codes in _CONDITION_CODES.items():
            if any(not _is_code(code, codes) for code in _codes(resource.get(member))):
                yield f"{where}.{member}", _NOT_BOUND
    if kind == "Observation":
        yield from _comparators(resource, where)


def _is_code(value: object, codes: frozenset[str]) -> bool:
    return isinstance(value, str) and value in codes


def _comparators(resource: dict[str, Any], where: str) -> Iterator[Problem]:
    components = resource.get("component")
    parts = [(where, resource)]
    parts += [(f"{where}.component[{n}]", c) for n, c in enumerate(components if isinstance(components, list) else [])]
    for place, part in parts:
        quantity = part.get("valueQuantity") if isinstance(part, dict) else None
        comparator = quantity.get("comparator") if isinstance(quantity, dict) else None
        if comparator is not None and not _is_code(comparator, _COMPARATORS):
            yield f"{place}.valueQuantity.comparator", _NOT_BOUND


def _codes(concept: object) -> list[object]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [c.get("code") for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
