"""What a clinician or a record later said was true of a patient: an append-only ledger, and what stands in it.

A label is never changed. Events of one `thread` replace one another: a correction joins the thread of what it
corrects, a withdrawal ends it, and the last by `stands_at` holds, in whatever order they arrived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from cds_service.domain.codes import ICD10, ICD10CM, SNOMED
from cds_service.domain.state import STATES

# The five states a clinician may say; "not determinable" is what a machine says.
CATEGORIES = tuple(state for state in STATES if state != "not-determinable")
# Of these a patient is in one at a time; chronic and terminal go with any of them.
ACUITY = frozenset({"not-ill", "mild", "acute"})

# HL7 Terminology's addresses of Orphanet's nomenclature and of OMIM.
ORPHA = "http://www.orpha.net"
OMIM = "http://www.omim.org"
_ICD_CODE = re.compile(r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?", re.ASCII)
CODE_SHAPES = MappingProxyType(
    {
        ICD10CM: _ICD_CODE,
        ICD10: _ICD_CODE,
        SNOMED: re.compile(r"[1-9]\d{5,17}", re.ASCII),  # SCTID: 6 to 18 digits
        ORPHA: re.compile(r"[1-9]\d{0,6}", re.ASCII),
        OMIM: re.compile(r"[1-9]\d{5}", re.ASCII),  # MIM number: 6 digits
    }
)
# The systems of rare diseases by how the annotations begin their ids.
RARE_SYSTEMS = MappingProxyType({"OMIM": OMIM, "ORPHA": ORPHA})
_RARE = MappingProxyType({system: source for source, system in RARE_SYSTEMS.items()})


def is_understood(system: str, code: str) -> bool:
    """Whether a diagnosis can be a label: its system is one of ours, and the code is of its shape."""
    shape = CODE_SHAPES.get(system)
    return shape is not None and shape.fullmatch(code) is not None


def rare_coding(codings: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The first of these codings (system, code) that names a rare disease."""
    return next((pair for pair in codings if pair[0] in _RARE and CODE_SHAPES[pair[0]].fullmatch(pair[1])), None)


class Kind(StrEnum):
    """What an event of the ledger does."""

    LABEL = "label"
    WITHDRAWAL = "withdrawal"
    RELEASE = "release"
    CONFIRMATION = "confirmation"


class Source(StrEnum):
    """The door a label came in by."""

    FORM = "form"
    FEEDBACK = "feedback"
    CONDITION = "condition"
    IMPORT = "import"
    DG1 = "hl7-dg1"
    FHIR = "fhir-condition"


SAW_PREDICTION = ("yes", "no", "unknown")
# Events that hold until another of their thread does; the others say something of these.
_SAYING = (Kind.LABEL, Kind.CONFIRMATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One event of the ledger.

    `actor` is who was authenticated, `author` the clinician they name ("" where none is). `stands_at` orders the
    events of a thread. `refers_to` is the label this one supersedes, withdraws, releases or confirms. `quarantine` says
    why it does not count until it is released. `icu_admission` says whether the visit ended in intensive care. `id`
    follows from the content, so the same event has the same id.
    """

    id: UUID
    kind: Kind
    thread: str
    source: Source
    tenant: str
    environment: str
    actor: str
    author: str
    role: str
    observed_at: datetime
    stands_at: datetime
    received_at: datetime
    saw_prediction: str
    prediction_id: UUID | None = None
    patient_key: str | None = None
    category: str | None = None
    code_system: str | None = None
    code: str | None = None
    icu_admission: bool | None = None
    refers_to: UUID | None = None
    quarantine: str | None = None

    @property
    def by(self) -> str:
        """Whose judgment it is: the clinician, or the sender where none is named."""
        return self.author or self.actor

    @property
    def rare_disease(self) -> str | None:
        """The rare disease it names, as `OMIM:154700` or `ORPHA:558`; None where it names none."""
        source = _RARE.get(self.code_system or "")
        return None if source is None else f"{source}:{self.code}"


class Status(StrEnum):
    """What an event of the ledger counts for at one moment."""

    CURRENT = "current"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    QUARANTINED = "quarantined"
    TEST = "test"
    NO_LABEL = "no-label"


def statuses(labels: Iterable[Label], as_of: datetime) -> dict[UUID, Status]:
    """What each event received by `as_of` counts for then. The order of `labels` does not matter."""
    known = {label.id: label for label in labels if label.received_at <= as_of}
    released = {label.refers_to for label in known.values() if label.kind is Kind.RELEASE and _is_real(label)}
    left_out = {label.id: status for label in known.values() if (status := _left_out(label, released))}
    holds: dict[str, Label] = {}
    for label in known.values():
        if label.id not in left_out and label.kind is not Kind.RELEASE:
            holds[label.thread] = max(holds.get(label.thread, label), label, key=_order)
    return {label.id: left_out.get(label.id) or _standing(label, holds.get(label.thread)) for label in known.values()}


def current_labels(labels: Iterable[Label], as_of: datetime) -> tuple[Label, ...]:
    """The labels that hold as far as was known at `as_of`, oldest first."""
    return tuple(label for label in _holding(labels, as_of) if label.kind is Kind.LABEL)


def rehearsed(labels: Iterable[Label]) -> tuple[Label, ...]:
    """The same events as if they were real: who works in the test environment is told what would hold.

    For what is shown there, never for what counts.
    """
    return tuple(replace(label, environment="production") for label in labels)


def holds_alone(*, kind: str, environment: str, quarantine: str | None) -> bool:
    """Whether an event that nothing else was said beside holds as a label: `current_labels` of one, in short."""
    return kind == Kind.LABEL and environment == "production" and not quarantine


def confirmations(labels: Iterable[Label], as_of: datetime) -> tuple[Label, ...]:
    """The confirmations that hold of labels that hold, oldest first."""
    holding = _holding(labels, as_of)
    confirmable = {label.id for label in holding if label.kind is Kind.LABEL}
    return tuple(one for one in holding if one.kind is Kind.CONFIRMATION and one.refers_to in confirmable)


def _holding(labels: Iterable[Label], as_of: datetime) -> list[Label]:
    known = {label.id: label for label in labels}
    found = [known[event] for event, status in statuses(known.values(), as_of).items() if status is Status.CURRENT]
    return sorted(found, key=_order)


def is_disputed(current: Iterable[Label]) -> bool:
    """Whether labels that hold together exclude one another: someone has to adjudicate."""
    return len({label.category for label in current} & ACUITY) > 1


def _order(label: Label) -> tuple[datetime, bool, bool, UUID]:
    """By time; at one moment a correction comes after what it may correct, and a withdrawal after both."""
    return label.stands_at, label.refers_to is not None, label.kind is Kind.WITHDRAWAL, label.id


def _is_real(label: Label) -> bool:
    return label.environment == "production"


def _left_out(label: Label, released: set[UUID | None]) -> Status | None:
    if not _is_real(label):
        return Status.TEST
    return Status.QUARANTINED if label.quarantine and label.id not in released else None


def _standing(label: Label, holder: Label | None) -> Status:
    if label.kind not in _SAYING or holder is None:
        return Status.NO_LABEL
    if holder is label:
        return Status.CURRENT
    return Status.WITHDRAWN if holder.kind is Kind.WITHDRAWAL else Status.REPLACED
