"""One Observation sent several times: which of its versions counts."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.fhir.codes import meaning_of
from cds_service.fhir.meta import updated_of, version_of
from cds_service.fhir.observations import Found, Setting
from cds_service.fhir.shapes import Entry, Resource
from cds_service.fhir.text import source_name
from cds_service.fhir.values import original_of


def current_versions(entries: list[Entry], setting: Setting, found: Found) -> Iterable[Entry]:
    """The entries without those that another version of the same resource replaces.

    Versions are ordered by meta.versionId, else meta.lastUpdated. Where neither orders them, one that is entered in
    error withdraws the others, and otherwise all stay: values that differ then count as conflicting.
    """
    keys = [e.full_url or (e.resource.id if e.resource is not None else None) or n for n, e in enumerate(entries)]
    if len(set(keys)) == len(keys):
        return entries
    by_key: dict[str | int, list[Entry]] = {}
    for key, entry in zip(keys, entries, strict=True):
        by_key.setdefault(key, []).append(entry)
    return [entry for same in by_key.values() for entry in (same if len(same) == 1 else _current(same, setting, found))]


def _current(same: list[Entry], setting: Setting, found: Found) -> list[Entry]:
    kept = _newest(same)
    withdrawn = [entry for entry in kept if entry.resource is not None and entry.resource.status == "entered-in-error"]
    kept = withdrawn[:1] or kept
    for entry in same:
        resource = entry.resource
        if resource is None or any(entry is one for one in kept):
            continue
        if setting.subject.is_meant_by(resource.subject) is not False:
            _note_replaced(entry, resource, found)
    return kept


def _newest(same: list[Entry]) -> list[Entry]:
    for order in (version_of, updated_of):
        keys = [order(entry.resource) for entry in same]
        known = [key for key in keys if key is not None]
        if len(known) == len(keys) and len(set(known)) > 1:
            return [entry for entry, key in zip(same, keys, strict=True) if key == max(known)]
    return same


def _note_replaced(entry: Entry, resource: Resource, found: Found) -> None:
    for statement in (resource, *(resource.component or ())):
        vital = meaning_of(statement.code).vital
        if vital is not None:
            found.unused.append(
                UnusedReading(
                    name=vital,
                    reason=NotUsed.SUPERSEDED,
                    source=source_name("Observation", resource.id, entry.full_url),
                    original=original_of(statement),
                    detail="another version of the same resource is used",
                )
            )
