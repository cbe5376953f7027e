"""Which version of a resource this is, by its `meta`."""

from __future__ import annotations

import msgspec

from cds_service.fhir.shapes import Meta, Resource
from cds_service.fhir.text import is_given
from cds_service.fhir.times import moment_from_datetime

_DECODE = msgspec.json.Decoder(Meta).decode

# Servers number versions; a longer number, or any other text, orders nothing.
_LONGEST_NUMBER = 18


def version_of(resource: Resource | None) -> int | None:
    """The number of the version, None when there is none or it is no number."""
    version = _meta(resource).version_id
    if version is None or not version.isdecimal() or len(version) > _LONGEST_NUMBER:
        return None
    return int(version)


def updated_of(resource: Resource | None) -> float | None:
    """When the server last changed the resource, seconds since the epoch."""
    moment = moment_from_datetime(_meta(resource).last_updated or "")
    return None if moment is None else moment[0].timestamp()


def _meta(resource: Resource | None) -> Meta:
    try:
        return _DECODE(resource.meta) if resource is not None and is_given(resource.meta) else Meta()
    except msgspec.ValidationError:
        return Meta()
