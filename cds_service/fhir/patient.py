"""Who the patient is: the one Patient resource, and which references mean the same person."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.text import MAX_NAME, bounded
from cds_service.errors import InvalidResource
from cds_service.fhir.bundle import Resources
from cds_service.fhir.meta import version_of
from cds_service.fhir.shapes import Entry, HumanName, Identifier, Reference, Resource
from cds_service.fhir.text import is_given

_REFERENCE = msgspec.json.Decoder(Reference).decode
_NAMES = msgspec.json.Decoder(list[HumanName]).decode
_IDENTIFIERS = msgspec.json.Decoder(list[Identifier]).decode

_NO_REFERENCE = Raw()

# Kept of a Patient: more names or identifiers than this are never shown or matched. Chosen by us.
_MAX_IDENTIFIERS = 20


class Subject(Struct, gc=False):
    """The patient of this request; `resource` is None when no Patient was sent."""

    patient_id: str
    resource: Resource | None
    full_url: str | None
    _base: str | None = None  # address of the FHIR server whose patient it is
    _last: Raw = _NO_REFERENCE
    _answer: bool | None = None

    def is_meant_by(self, reference: Raw) -> bool | None:
        """Whether a subject names this patient; None when it says nothing that can be compared.

        The last answer is kept: as a rule all resources of a request name their patient with the same bytes.
        """
        if reference != self._last:
            self._last, self._answer = reference, self._matches(reference)
        return self._answer

    def _matches(self, reference: Raw) -> bool | None:
        try:
            literal = _REFERENCE(reference).reference if is_given(reference) else None
        except msgspec.ValidationError:
            return False
        return None if not literal or literal.startswith("#") else self._is_named(literal)

    def _is_named(self, text: str) -> bool:
        url = text.partition("/_history/")[0]
        if url == self.full_url or url == f"Patient/{self.patient_id}":
            return True
        base, found, rest = url.rpartition(f"/Patient/{self.patient_id}")
        if not found or rest or "://" not in base:
            return False
        if self._base is None:
            if self.full_url is not None and "://" in self.full_url:
                return False
            # The same id on two servers may be two people: where the call names no server, the first one named counts.
            self._base = base
        return base == self._base


def find_subject(resources: Resources, patient_id: str | None) -> Subject:
    """The patient the request is about; InvalidResource when a Patient is someone else or there are several."""
    chosen: Entry | None = None
    for entry in resources.patients:
        if patient_id is not None and _id(entry) != patient_id:
            raise InvalidResource("is not the patient of this request", where="Patient.id")
        chosen = entry if chosen is None else _newer(chosen, entry)
    if chosen is not None:
        return Subject(_id(chosen), chosen.resource, chosen.full_url, resources.server)
    if patient_id is None:
        raise InvalidResource("holds no Patient, so whose data it is cannot be told", where="Bundle.entry")
    return Subject(patient_id, None, None, resources.server)


def _id(entry: Entry) -> str:
    resource = entry.resource
    return (resource.id if resource is not None and resource.id else entry.full_url) or ""


def _newer(one: Entry, other: Entry) -> Entry:
    """The later version of the same Patient; two that cannot be ordered must agree on who it is."""
    if _id(one) != _id(other):
        raise InvalidResource("two patients in one request", where="Patient.id")
    first, second = one.resource, other.resource
    if first is None or second is None:
        return one
    versions = version_of(first), version_of(second)
    if versions[0] is not None and versions[1] is not None and versions[0] != versions[1]:
        return one if versions[0] > versions[1] else other
    if (first.birth_date, first.gender) != (second.birth_date, second.gender):
        raise InvalidResource("two versions of the patient disagree", where="Patient")
    return one


def is_deceased(patient: Resource) -> bool:
    """Whether the record says that the patient has died, by a yes or by a date."""
    return bytes(patient.deceased_boolean) == b"true" or is_given(patient.deceased_date_time)


def identity_of(resource: Resource) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Name and identifiers of a Patient, empty where they were not sent or cannot be read."""
    try:
        names = _NAMES(resource.name) if is_given(resource.name) else []
        identifiers = identifiers_of(resource)
    except msgspec.ValidationError as error:
        raise InvalidResource("name or identifier has an unexpected shape", where="Patient") from error
    return _spoken(names), identifiers


def identifiers_of(resource: Resource) -> tuple[tuple[str, str], ...]:
    """System and value of each identifier, bounded; ValidationError where they have another shape."""
    identifiers = _IDENTIFIERS(resource.identifier) if is_given(resource.identifier) else []
    return tuple(
        [
            (bounded(identifier.system or "", MAX_NAME), bounded(identifier.value, MAX_NAME))
            for identifier in identifiers[:_MAX_IDENTIFIERS]
            if identifier.value
        ]
    )


def _spoken(names: list[HumanName]) -> str:
    if not names:
        return ""
    name = next((n for n in names if n.use in ("official", "usual")), names[0])
    return bounded(name.text or " ".join([*(name.given or ()), name.family or ""]).strip(), MAX_NAME)


def mine(entries: list[Entry], subject: Subject, remarks: set[str]) -> list[Entry]:
    """The entries that are not of another patient; one that is leaves a remark."""
    own: list[Entry] = []
    for entry in entries:
        resource = entry.resource
        if resource is not None and subject.is_meant_by(resource.subject) is not False:
            own.append(entry)
        elif resource is not None:
            remarks.add(f"{(resource.resource_type or '').lower()}-of-other-patient")
    return own
