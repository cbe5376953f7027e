"""What a hook's prefetch brought: the state of each part asked for, the parts to read, and what the card must say.

The six states are CDS Hooks 2.0.1's: a key may be absent, null, an empty Bundle, data, the client's own
OperationOutcome, or the first of several pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


# Only what tells the states apart is decoded; the FHIR reader reads the rest.


class _Issue(msgspec.Struct):
    severity: str = ""


class _Resource(msgspec.Struct):
    resourceType: str = ""  # noqa: N815 -- FHIR's own spelling
    issue: list[_Issue] = []


class _Entry(msgspec.Struct):
    resource: _Resource | None = None


class _Link(msgspec.Struct):
    relation: str = ""


class _Head(msgspec.Struct):
    resourceType: str = ""  # noqa: N815
    entry: list[_Entry] | None = None
    link: list[_Link] | None = None


_DECODER = msgspec.json.Decoder(_Head | None)


def read_prefetch(service: Service, hook: str, prefetch: Mapping[str, Any]) -> Prefetch:
    """The state of each key the service asked for; keys nobody asked for are left alone.

    A value is plain JSON data, or its bytes (`msgspec.Raw`). Raises BadRequest for one that is neither object nor null.
    """
    states: dict[str, PrefetchState] = {}
    parts: list[Any] = []
    notes: list[Note] = []
    for key in service.prefetch[hook]:
        if key not in prefetch:
            states[key] = PrefetchState.ABSENT
            continue
        value = prefetch[key]
        head = _head(key, value)
        states[key] = state = _state(head)
        notes += [Note(kind, key) for kind in _note_kinds(state, head)]
        if state in _WITH_DATA:
            parts.append(value)
    return Prefetch(states, tuple(parts), tuple(notes))


def missing_required(service: Service, prefetch: Prefetch) -> tuple[str, ...]:
    """Required keys the client did not answer at all; null, empty and its own failures are answers."""
    return tuple(
        key for key, state in prefetch.states.items() if state is PrefetchState.ABSENT and key in service.required
    )


_WITH_DATA = frozenset({PrefetchState.RESOURCE, PrefetchState.PAGED})
_UNREADABLE = _Head(resourceType="?")


def _head(key: str, value: Any) -> _Head | None:
    """The head of one value; what is JSON but not FHIR's shape is left for the reader to explain."""
    is_text = isinstance(value, msgspec.Raw | bytes)
    if not (value is None or isinstance(value, Mapping) or (is_text and bytes(value).lstrip()[:1] in (b"{", b"n"))):
        raise BadRequest("must be a FHIR resource or null", where=f"prefetch.{key}")
    try:
        return _DECODER.decode(value) if is_text else msgspec.convert(value, _Head | None)
    except msgspec.ValidationError:
        return _UNREADABLE


def _state(head: _Head | None) -> PrefetchState:
    if head is None:
        return PrefetchState.NULL
    if head.resourceType == "OperationOutcome":
        return PrefetchState.OPERATION_OUTCOME
    if head.resourceType != "Bundle":
        return PrefetchState.RESOURCE
    has_data = any(entry.resource and entry.resource.resourceType != "OperationOutcome" for entry in head.entry or ())
    if has_data:
        is_paged = any(link.relation == "next" for link in head.link or ())
        return PrefetchState.PAGED if is_paged else PrefetchState.RESOURCE
    return PrefetchState.OPERATION_OUTCOME if _reports_failure(head) else PrefetchState.EMPTY


def _note_kinds(state: PrefetchState, head: _Head | None) -> Iterator[NoteKind]:
    if state is PrefetchState.OPERATION_OUTCOME:
        yield NoteKind.QUERY_FAILED
    elif head is not None and _reports_failure(head):
        yield NoteKind.QUERY_REPORTED
    if state is PrefetchState.PAGED:
        yield NoteKind.FIRST_PAGE_ONLY


def _reports_failure(head: _Head) -> bool:
    """Whether a Bundle holds an OperationOutcome that is more than a warning (FHIR IssueSeverity)."""
    return any(
        issue.severity in ("error", "fatal")
        for entry in head.entry or ()
        if entry.resource and entry.resource.resourceType == "OperationOutcome"
        for issue in entry.resource.issue
    )
