"""The typed subset of FHIR R4, R4B and R5 that is read; every other member is skipped while decoding.

One `Resource` holds the members of Patient, Encounter, Condition, Observation and Bundle, so that an entry is
decoded once whatever its type. Members whose shape differs between resource types or versions, or that are seldom
needed, stay raw bytes. So do codes, whose bytes repeat from call to call and are read once, and a quantity's number,
whose text is kept as it was sent. The members of a large shape stand in the order of their names, which canonical
JSON sends them in: the decoder looks for each from where it found the last.
"""

from __future__ import annotations

from msgspec import Raw, Struct, field


class Coding(Struct, gc=False):
    """A code, the system that defines it, and the name the sender gave it."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Struct, gc=False):
    """Codings of one idea, and what the user saw or typed."""

    coding: list[Coding] | None = None
    text: str | None = None


class Quantity(Struct, gc=False):
    """A number with its unit; `value` is the number's own JSON text."""

    code: str | None = None
    comparator: str | None = None
    system: str | None = None
    unit: str | None = None
    value: Raw = Raw()


class Period(Struct, gc=False):
    """A stretch of time."""

    start: str | None = None
    end: str | None = None


class Reference(Struct, gc=False):
    """A literal reference; a logical one (`identifier` only) is not resolved."""

    reference: str | None = None


class Meta(Struct, gc=False, rename="camel"):
    """The version of a resource."""

    version_id: str | None = None
    last_updated: str | None = None


class Statement(Struct, gc=False, kw_only=True, rename="camel"):
    """What Observation and Observation.component share: a code, and a value or the reason it is absent."""

    code: Raw = Raw()
    data_absent_reason: Raw = Raw()
    interpretation: Raw = Raw()
    reference_range: Raw = Raw()
    value_boolean: bool | None = None
    value_codeable_concept: Raw = Raw()
    value_date_time: Raw = Raw()
    value_integer: Raw = Raw()
    value_period: Raw = Raw()
    value_quantity: Quantity | None = None
    value_range: Raw = Raw()
    value_ratio: Raw = Raw()
    value_sampled_data: Raw = Raw()
    value_string: str | None = None
    value_time: Raw = Raw()


class Link(Struct, gc=False):
    """A link of a Bundle; `self` says what was searched."""

    relation: str | None = None
    url: str | None = None


class Resource(Statement, gc=False, kw_only=True, rename="camel"):
    """Any resource, with the members this service reads of it."""

    abatement_date_time: str | None = None
    birth_date: str | None = None
    category: Raw = Raw()
    class_: Raw = field(default=Raw(), name="class")
    clinical_status: Raw = Raw()
    component: list[Statement] | None = None
    deceased_boolean: Raw = Raw()
    deceased_date_time: Raw = Raw()
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    effective_timing: Raw = Raw()
    entry: list[Entry] | None = None
    extension: Raw = Raw()
    gender: str | None = None
    id: str | None = None
    identifier: Raw = Raw()
    issued: str | None = None
    link: list[Link] | None = None
    meta: Raw = Raw()
    name: Raw = Raw()
    onset_date_time: str | None = None
    performer: Raw = Raw()
    period: Raw = Raw()
    reason: Raw = Raw()
    reason_code: Raw = Raw()
    recorded_date: str | None = None
    resource_type: str | None = None
    status: str | None = None
    subject: Raw = Raw()
    verification_status: Raw = Raw()


class Entry(Struct, gc=False, rename="camel"):
    """One entry of a Bundle."""

    resource: Resource | None = None
    full_url: str | None = None


class RawEntry(Struct, gc=False, rename="camel"):
    """One entry of a Bundle whose resource is decoded on its own, so that a spoiled one stays alone."""

    resource: Raw = Raw()
    full_url: str | None = None


class RawBundle(Struct, gc=False, rename="camel"):
    """A Bundle in which at least one entry does not have the expected shape."""

    resource_type: str | None = None
    entry: list[RawEntry] | None = None
    link: list[Link] | None = None


class HumanName(Struct, gc=False):
    """A name of the patient."""

    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: list[str] | None = None


class Identifier(Struct, gc=False):
    """A business identifier of the patient."""

    system: str | None = None
    value: str | None = None


class Extension(Struct, gc=False, rename="camel"):
    """An extension; of those read here the value is a Coding."""

    url: str | None = None
    value_coding: Coding | None = None


class ConceptOrReference(Struct, gc=False):
    """R5's CodeableReference, its concept only."""

    concept: CodeableConcept | None = None


class EncounterReason(Struct, gc=False):
    """R5's Encounter.reason."""

    value: list[ConceptOrReference] | None = None
