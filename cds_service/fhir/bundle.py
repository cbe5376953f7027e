"""From bytes to typed resources by type: Bundles and single resources, within limits, a spoiled entry apart."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct, field

from cds_service.errors import InvalidResource, TooLarge
from cds_service.fhir.shapes import Entry, Link, RawBundle, RawEntry, Resource

# Entries of all Bundles of one request together; chosen by us: a month of hourly observations fits several times.
MAX_ENTRIES = 2000

_DECODE = msgspec.json.Decoder(Resource | None).decode
_DECODE_APART = msgspec.json.Decoder(RawBundle).decode


class Spoiled(Struct, frozen=True, gc=False):
    """An Observation with a member of the wrong JSON type: what it says as plain JSON, and what is wrong where."""

    document: dict[str, object]
    full_url: str | None
    path: str
    text: str


class Resources(Struct, gc=False):
    """What the parts of one request hold, by type; `listed` are the types whose search was sent, even if empty.

    `server` is the address of the FHIR server they are said to come from, None when nothing was said.
    """

    patients: list[Entry] = field(default_factory=list)
    encounters: list[Entry] = field(default_factory=list)
    conditions: list[Entry] = field(default_factory=list)
    observations: list[Entry] = field(default_factory=list)
    spoiled: list[Spoiled] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)
    entries: int = 0
    server: str | None = None

    def shelves(self) -> dict[str | None, list[Entry]]:
        """The list each resource type is kept in."""
        return {
            "Patient": self.patients,
            "Encounter": self.encounters,
            "Condition": self.conditions,
            "Observation": self.observations,
        }


def read_resources(parts: Iterable[bytes | Raw], *, listed: Iterable[str] = (), server: str | None = None) -> Resources:
    """The resources of every part; a part is a resource, a Bundle of any type, or null.

    `listed` names resource types the caller knows were searched for, so that none found means there are none.
    Raises InvalidResource, naming the place, when a part is no resource or a Patient cannot be read, and TooLarge
    over MAX_ENTRIES.
    """
    resources = Resources(listed=set(listed), server=server.rstrip("/") if server else None)
    shelves = resources.shelves()
    for number, part in enumerate(parts):
        try:
            _read_part(part, resources, shelves, number)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidResource("is not JSON", where=f"resource {number + 1}") from None
        except RecursionError:
            raise InvalidResource("is nested too deeply", where=f"resource {number + 1}") from None
    return resources


def _read_part(part: bytes | Raw, resources: Resources, shelves: dict[str | None, list[Entry]], number: int) -> None:
    try:
        resource = _DECODE(part)
    except msgspec.ValidationError:
        _read_apart(part, resources, number)
        return
    if resource is not None:
        _sort(resource, resources, shelves, number)


def _sort(resource: Resource, resources: Resources, shelves: dict[str | None, list[Entry]], number: int) -> None:
    if resource.resource_type is None:
        raise InvalidResource("resourceType is missing", where=f"resource {number + 1}")
    if resource.resource_type != "Bundle":
        _count(resources, 1)
        shelf = shelves.get(resource.resource_type)
        if shelf is not None:
            shelf.append(Entry(resource=resource))
        return
    _note_search(resource.link, resources)
    entries = resource.entry or []
    _count(resources, len(entries))
    for entry in entries:
        held = entry.resource
        if held is not None:
            shelf = shelves.get(held.resource_type)
            if shelf is not None:
                shelf.append(entry)
            elif held.resource_type is None or held.resource_type == "Bundle":
                resources.remarks.append("nested-bundle-ignored" if held.resource_type else "resource-without-type")


def _count(resources: Resources, more: int) -> None:
    resources.entries += more
    if resources.entries > MAX_ENTRIES:
        raise TooLarge(f"more than {MAX_ENTRIES} entries in one request", where="Bundle.entry")


def _note_search(links: list[Link] | None, resources: Resources) -> None:
    """Take from the `self` link which type was searched: an empty list of Conditions is a statement, no list is not."""
    for link in links or ():
        if link.relation == "self" and link.url is not None:
            resources.listed.add(link.url.partition("?")[0].rpartition("/")[2])


def _read_apart(part: bytes | Raw, resources: Resources, number: int) -> None:
    """Read a part that does not have the expected shape, entry by entry."""
    where = f"resource {number + 1}"
    try:
        bundle = _DECODE_APART(part)
    except msgspec.ValidationError as error:
        path, text = _place(error)
        raise InvalidResource(text, where=f"{where}.{path}" if path else where) from None
    if bundle.resource_type != "Bundle":
        _count(resources, 1)
        _read_spoiled(RawEntry(resource=part if isinstance(part, Raw) else Raw(part)), resources, where)
        return
    _note_search(bundle.link, resources)
    _count(resources, len(bundle.entry or ()))
    shelves = resources.shelves()
    for index, entry in enumerate(bundle.entry or ()):
        _read_entry(entry, resources, shelves, f"Bundle.entry[{index}].resource")


def _read_entry(entry: RawEntry, resources: Resources, shelves: dict[str | None, list[Entry]], where: str) -> None:
    if not bytes(entry.resource):
        return
    try:
        resource = _DECODE(entry.resource)
    except msgspec.ValidationError:
        _read_spoiled(entry, resources, where)
        return
    shelf = None if resource is None else shelves.get(resource.resource_type)
    if shelf is not None:
        shelf.append(Entry(resource=resource, full_url=entry.full_url))


def _read_spoiled(entry: RawEntry, resources: Resources, where: str) -> None:
    """Keep what can be said of a resource of which a member has the wrong type; refuse a Patient."""
    document = msgspec.json.decode(entry.resource)
    if not isinstance(document, dict):
        raise InvalidResource("is not a JSON object", where=where)
    try:
        _DECODE(entry.resource)
    except msgspec.ValidationError as error:
        path, text = _place(error)
    kind = document.get("resourceType")
    if kind == "Patient" or not isinstance(kind, str):
        raise InvalidResource(text, where=f"{where}.{path}")
    if kind == "Observation":
        resources.spoiled.append(Spoiled(document, entry.full_url, path, text))
    elif kind in ("Condition", "Encounter"):
        resources.remarks.append(f"{kind.lower()}-unreadable")


def _place(error: msgspec.ValidationError) -> tuple[str, str]:
    """Path and text of msgspec's message, which ends in "- at `$.path`" unless the root is at fault."""
    text, _, path = str(error).partition(" - at `$")
    return path.rstrip("`").lstrip("."), text.replace("`", "").replace(" | null", "").lower()
