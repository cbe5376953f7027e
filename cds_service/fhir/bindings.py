"""Required bindings of R4B on the members this service decides by: the library does not check them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_COMMON = frozenset({"cancelled", "entered-in-error", "unknown"})
STATUS = {
    "Observation": _COMMON | {"registered", "preliminary", "final", "amended", "corrected"},
    "Encounter": _COMMON | {"planned", "arrived", "triaged", "in-progress", "onleave", "finished"},
}
GENDERS = frozenset({"male", "female", "other", "unknown"})
COMPARATORS = frozenset({"<", "<=", ">=", ">"})
CONDITION_CODES = {
    "clinicalStatus": frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"}),
    "verificationStatus": frozenset(
        {"unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"}
    ),
}
_NOT_BOUND = "is not a code of its required value set"

Problem = tuple[str, str]


def binding_problems(resource: dict[str, Any], name: str) -> Iterator[Problem]:
    """Codes of a resource, or of the resources of a Bundle, that are not of their required value set."""
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
    statuses = STATUS.get(kind) if isinstance(kind, str) else None
    if statuses is not None and not _is_code(resource.get("status"), statuses):
        yield f"{where}.status", _NOT_BOUND
    if kind == "Patient" and not _is_code(resource.get("gender", "unknown"), GENDERS):
        yield f"{where}.gender", _NOT_BOUND
    if kind == "Condition":
        for member, codes in CONDITION_CODES.items():
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
        if comparator is not None and not _is_code(comparator, COMPARATORS):
            yield f"{place}.valueQuantity.comparator", _NOT_BOUND


def _codes(concept: object) -> list[object]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [c.get("code") for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
