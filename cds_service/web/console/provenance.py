"""Where each value of a patient came from, and what is known beside the readings: for a page, concluding nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from cds_service.cdshooks.wording import Words, clock
from cds_service.domain.patient import PatientSnapshot, Reading
from cds_service.i18n import msgid
from cds_service.records.readings import SOURCE
from cds_service.vocabulary import VITALS

# Other sources are references of FHIR resources and places of messages, the same in every language.
_SOURCES = {SOURCE: msgid("form")}


@dataclass(frozen=True, slots=True)
class Provenance:
    """One reading that was used: its value in the unit of the service, as it was sent, when and by whom."""

    name: str
    value: str
    unit: str
    original: str
    time: str
    source: str
    flags: str


def provenance(snapshot: PatientSnapshot, words: Words, zone: tzinfo) -> tuple[Provenance, ...]:
    """Every reading that was used, times in `zone`."""
    at = snapshot.at.astimezone(zone)
    return tuple(
        Provenance(
            name=words.name(reading.name),
            value=_value(reading, words),
            unit=VITALS[reading.name][1].strip() if reading.name in VITALS else "",
            original=reading.original,
            time=clock(reading.time.astimezone(zone), at),
            source=words.t(_SOURCES.get(reading.source, reading.source)),
            flags=", ".join(words.flags.get(flag, flag) for flag in reading.flags),
        )
        for reading in snapshot.readings.values()
    )


def circumstances(snapshot: PatientSnapshot, words: Words) -> tuple[tuple[str, str], ...]:
    """What is known of the patient and the visit beside readings: name and value."""
    yes_no = {True: words.t(msgid("yes")), False: words.t(msgid("no"))}
    age = snapshot.age_years
    known = (
        (words.name("age"), None if age is None else f"{int(age)}"),
        (words.name("sex"), None if snapshot.sex is None else words.reading("sex", snapshot.sex)),
        (words.t(msgid("pregnant")), None if snapshot.pregnant is None else yes_no[snapshot.pregnant]),
        (words.name("complaint_group"), _complaint(snapshot, words)),
        (words.name("arrived_by_ambulance"), yes_no.get(snapshot.arrived_by_ambulance)),  # type: ignore[arg-type]
        (words.name("chronic_count"), None if snapshot.chronic_count is None else f"{snapshot.chronic_count}"),
    )
    return tuple((name, value) for name, value in known if value is not None)


def _complaint(snapshot: PatientSnapshot, words: Words) -> str | None:
    group = snapshot.complaint_group
    return None if group is None else words.reading("complaint_group", group).partition(": ")[2]


def _value(reading: Reading, words: Words) -> str:
    """The value alone; a coded one in words."""
    if isinstance(reading.value, str | bool):
        return words.reading(reading.name, reading.value)
    return words.number(reading.value)
