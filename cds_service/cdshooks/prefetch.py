"""What a hook's prefetch brought: the state of each part asked for, the parts to read, and what the card must say.

The six states are CDS Hooks 2.0.1's: a key may be absent, null, an empty Bundle, data, the client's own
OperationOutcome, or the first of several pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from cds_service.cdshooks.catalogue import Service
from cds_service.errors import BadRequest


class PrefetchState(StrEnum):
    """What came under one prefetch key."""

    ABSENT = "absent"
    NULL = "null"
    EMPTY = "empty"
    RESOURCE = "resource"
    OPERATION_OUTCOME = "operation-outcome"
    PAGED = "paged"


class NoteKind(StrEnum):
    """Why a card rests on less than was asked for."""

    QUERY_FAILED = "query-failed"
    QUERY_REPORTED = "query-reported"
    FIRST_PAGE_ONLY = "first-page-only"
    NOT_FETCHED = "not-fetched"


@dataclass(frozen=True, slots=True)
class Note:
    """Something a card must say of one prefetch part."""

    kind: NoteKind
    part: str


@dataclass(frozen=True, slots=True)
class Prefetch:
    """The prefetch of one call: state by template key, the values that hold data, and the notes they call for."""

    states: Mapping[str, PrefetchState]
    parts: tuple[Any, ...]
    notes: tuple[Note, ...]

    @property
    def empty_types(self) -> tuple[str, ...]:
        """Resource types whose list was asked for and is empty, which is not the same as not read."""
        return ("Condition",) if self.states.get("conditions") is PrefetchState.EMPTY else ()

    def brings(self, key: str) -> bool:
        """Whether data came under this key."""
        return self.states.get(key) in _WITH_DATA


def read_prefetch(
    service: Service, hook: str, prefetch: Mapping[str, Any], *, raw: Mapping[str, msgspec.Raw] | None = None
) -> Prefetch:
    """The state of each key the service asked for; keys nobody asked for are left alone.

    A value is parsed JSON, or its bytes (`msgspec.Raw`). With `raw`, the same members as bytes, `parts` are taken from
    there. Raises BadRequest for a value that is neither object nor null.
    """
    states: dict[str, PrefetchState] = {}
    parts: list[Any] = []
    notes: list[Note] = []
    for key in service.prefetch[hook]:
        if key not in prefetch:
            states[key] = PrefetchState.ABSENT
            continue
        value = prefetch[key]
        states[key] = state = _state(_parsed(key, value), key, notes)
        if state in _WITH_DATA:
            parts.append(raw[key] if raw else value)
    return Prefetch(states, tuple(parts), tuple(notes))


def missing_required(service: Service, prefetch: Prefetch) -> tuple[str, ...]:
    """Required keys the client did not answer at all; null, empty and its own failures are answers."""
    return tuple(
        key for key, state in prefetch.states.items() if state is PrefetchState.ABSENT and key in service.required
    )


_OBJECTS = frozenset({dict})
_WITH_DATA = frozenset({PrefetchState.RESOURCE, PrefetchState.PAGED})


def _parsed(key: str, value: Any) -> dict[str, Any] | None:
    parsed = msgspec.json.decode(value) if isinstance(value, (msgspec.Raw, bytes)) else value
    if parsed is None or isinstance(parsed, dict):
        return parsed
    raise BadRequest("must be a FHIR resource or null", where=f"prefetch.{key}")


def _state(value: dict[str, Any] | None, key: str, notes: list[Note]) -> PrefetchState:
    """The state of one value; what a card must say of it is added to `notes`."""
    if value is None:
        return PrefetchState.NULL
    kind = value.get("resourceType")
    if kind == "OperationOutcome":
        notes.append(Note(NoteKind.QUERY_FAILED, key))
        return PrefetchState.OPERATION_OUTCOME
    return _bundle_state(value, key, notes) if kind == "Bundle" else PrefetchState.RESOURCE


def _bundle_state(bundle: dict[str, Any], key: str, notes: list[Note]) -> PrefetchState:
    resources = _resources(bundle)
    if resources is None:
        return PrefetchState.RESOURCE  # not FHIR's shape: the reader says what is wrong with it
    outcomes = [item for item in resources if item.get("resourceType") == "OperationOutcome"]
    has_failed = any(map(_is_failure, outcomes))
    if len(outcomes) == len(resources):
        if has_failed:
            notes.append(Note(NoteKind.QUERY_FAILED, key))
        return PrefetchState.OPERATION_OUTCOME if has_failed else PrefetchState.EMPTY
    if has_failed:
        notes.append(Note(NoteKind.QUERY_REPORTED, key))
    if any(link.get("relation") == "next" for link in _objects(bundle.get("link"))):
        notes.append(Note(NoteKind.FIRST_PAGE_ONLY, key))
        return PrefetchState.PAGED
    return PrefetchState.RESOURCE


def _resources(bundle: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The resources of a Bundle's entries; None where the shape is another."""
    entries = bundle.get("entry") or []
    if not isinstance(entries, list) or not _OBJECTS.issuperset(map(type, entries)):
        return None
    found = [resource for entry in entries if (resource := entry.get("resource")) is not None]
    return found if _OBJECTS.issuperset(map(type, found)) else None


def _is_failure(outcome: dict[str, Any]) -> bool:
    """Whether an OperationOutcome is more than a warning (FHIR IssueSeverity)."""
    return any(issue.get("severity") in ("error", "fatal") for issue in _objects(outcome.get("issue")))


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
