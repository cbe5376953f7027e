"""What one message says, before it is judged against a moment: header, patients, observations and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from cds_service.domain.statements import Given, Refusal
from cds_service.hl7.events import Effect
from cds_service.hl7.header import Header

# The fields of OBX that can spoil an observation.
KIND, CODE, VALUE, UNITS, MARKS, STATUS, TIME = 2, 3, 5, 6, 8, 11, 14


class Identifier(NamedTuple):
    """An identifier of the patient (CX): its value, the system of its assigning authority, and its type (MR, SS …).

    `system` is empty where no authority was sent or set: such an identifier names nobody outside this message.
    """

    value: str
    system: str = ""
    type: str = ""


class Change(StrEnum):
    """What an observation does to one that was sent before."""

    NONE = "none"
    CORRECTS = "corrects"
    WITHDRAWS = "withdraws"
    CLEARS = "clears"


class Key(NamedTuple):
    """What names an observation across messages of one sender: order (OBR-3, else OBR-2), code and system, OBX-4."""

    order: str
    code: str
    sub_id: str


class Observation(NamedTuple):
    """One statement of a vital sign: a value in its canonical unit, or why it gives none.

    `segment` is where it stands (`OBX[3]`), `at_fault` the number of the field that spoils it. `change` says what it
    does to an observation of the same key that was sent before.
    """

    name: str
    value: Given | Refusal
    time: datetime | None
    key: Key
    status: str
    change: Change
    segment: str
    at_fault: int
    original: str
    flags: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The field that spoils the observation: `OBX[3]-5`."""
        return f"{self.segment}-{self.at_fault}"

    @property
    def is_unusable(self) -> bool:
        """Whether its code, status or time spoils it, whatever its value and unit say."""
        return isinstance(self.value, Refusal) and self.at_fault not in (VALUE, UNITS)


class Fact(NamedTuple):
    """What an observation says beside vital signs: pregnant or not, or SpO2 scales NEWS2 points were given by."""

    time: datetime | None
    pregnant: bool | None = None
    scales: frozenset[int] = frozenset()
    is_attributed: bool = False


class SentDiagnosis(NamedTuple):
    """One DG1: codes with their systems, words, the day, its type (table 0052), whether it is deleted, and by whom."""

    codings: tuple[tuple[str, str], ...]
    text: str
    day: date | None
    type: str
    is_deleted: bool
    source: str
    clinician: str = ""


class VisitStatus(StrEnum):
    """Whether a visit is under way."""

    PLANNED = "planned"
    UNDER_WAY = "under-way"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Visit(NamedTuple):
    """What PV1 and PV2 say of the visit; `encounter_class` is a v3-ActCode, None where PV1-2 says none of them."""

    number: Identifier | None
    encounter_class: str | None
    status: VisitStatus
    location: str
    reasons: tuple[tuple[str, str], ...] = ()
    reason_text: str = ""
    by_ambulance: bool | None = None


class Merge(NamedTuple):
    """Whose record goes into whose: the identifiers named before (MRG), with account and visit where these move."""

    prior: tuple[Identifier, ...]
    prior_account: Identifier | None = None
    prior_visit: Identifier | None = None


@dataclass(slots=True)
class Patient:
    """One PID and what follows it up to the next: the patient of these observations."""

    identifiers: tuple[Identifier, ...] = ()
    name: str = ""
    birth_date: str = ""
    sex: str | None = None
    visit: Visit | None = None
    merges: list[Merge] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    diagnoses: list[SentDiagnosis] = field(default_factory=list)

    @property
    def changes(self) -> list[Observation]:
        """Observations that correct, withdraw or clear one sent before."""
        return [one for one in self.observations if one.change is not Change.NONE]


class Fault(NamedTuple):
    """Something wrong with the content: HL7 table 0357 code, place, text; an error, or else a warning."""

    code: int
    where: str
    text: str
    is_error: bool = True


class Account(NamedTuple):
    """What became of every segment: how many of each kind were read, ignored for their kind, and refused.

    `unmapped` are those OBX among the read that have a value and mean nothing here.
    """

    read: Mapping[str, int]
    ignored: Mapping[str, int]
    refused: int
    unmapped: int = 0

    @property
    def total(self) -> int:
        """All segments of the message."""
        return sum(self.read.values()) + sum(self.ignored.values()) + self.refused


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was read. With an error among the `faults` it must be stored, and nothing of it scored."""

    header: Header
    trigger: str
    effect: Effect
    patients: tuple[Patient, ...]
    account: Account
    faults: tuple[Fault, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_scorable(self) -> bool:
        """Whether its observations may be used: nothing about the content is an error."""
        return not any(fault.is_error for fault in self.faults)
