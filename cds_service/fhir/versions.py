"""One Observation sent several times: which of its versions counts."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.fhir.observations import Found, Setting, vital_of
from cds_service.fhir.shapes import Entry, Resource
from cds_service.fhir.text import source_name
from cds_service.fhir.times import moment_from_datetime
from cds_service.fhir.values import original_of


def current_versions(entries: list[Entry], setting: Setting, found: Found) -> Iterable[Entry]:
    """The entries without those that another version of the same resource replaces.

    Versions are ordered by meta.versionId, else meta.lastUpdated. Where neither orders them, one that is entered in
    error withdraws the others, and otherwise all stay: values that differ then count as conflicting.
    """
    by_key: dict[object, list[Entry]] = {}
    for place, entry in enumerate(entries):
        resource = entry.resource
        key = entry.full_url or (resource.id if resource is not None else None) or place
        by_key.setdefault(key, []).append(entry)
    if len(by_key) == len(entries):
        return entries
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
    for order in (_version, _updated):
        keys = [order(entry.resource) for entry in same]
        known = [key for key in keys if key is not None]
        if len(known) == len(keys) and len(set(known)) > 1:
            return [entry for entry, key in zip(same, keys, strict=True) if key == max(known)]
    return same


def _version(resource: Resource | None) -> float | None:
    version = resource.meta.version_id if resource is not None and resource.meta is not None else None
    return float(version) if version is not None and version.isdecimal() and len(version) < 20 else None


def _updated(resource: Resource | None) -> float | None:
    updated = resource.meta.last_updated if resource is not None and resource.meta is not None else None
    moment = moment_from_datetime(updated or "")
    return None if moment is None else moment[0].timestamp()


def _note_replaced(entry: Entry, resource: Resource, found: Found) -> None:
    for statement in (resource, *(resource.component or ())):
        named = vital_of(statement.code)
        if named is not None:
            found.unused.append(
                UnusedReading(
                    name=named[0],
                    reason=NotUsed.SUPERSEDED,
                    source=source_name("Observation", resource.id, entry.full_url),
                    original=original_of(statement),
                    detail="another version of the same resource is used",
                )
            )
