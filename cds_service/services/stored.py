"""A prediction or ranking as the bytes its row holds, and back. The patient's identity is in neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import msgspec

from cds_service.domain.dataset import Contents
from cds_service.domain.features import feature_row
from cds_service.domain.patient import Identity, PatientSnapshot, Value, newest_beat
from cds_service.domain.phenotype import Phenotype, Ranking, RareAssessment
from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate, StateEstimate, StateTag

_NOBODY = Identity(patient_id="")


class StoredReading(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The beginning of a `Reading`: what follows is left unread."""

    name: str
    value: Value
    time: datetime


class StoredCode(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The beginning of a `Condition`."""

    system: str
    code: str


class StoredFeatures(msgspec.Struct, frozen=True, gc=False):
    """The part of a snapshot that a row of a dataset is made of: read a million at a time, so no more than that.

    What an older release did not store is as `PatientSnapshot` has it.
    """

    age_years: float | None = None
    sex: str | None = None
    readings: dict[str, StoredReading] = {}
    chronic_count: int | None = None
    complaint_group: str | None = None
    arrived_by_ambulance: bool | None = None
    conditions: tuple[StoredCode, ...] | None = None

    @property
    def beat(self) -> StoredReading | None:
        """Heart rate or pulse, as `PatientSnapshot.beat`."""
        return newest_beat(self.readings)


class StoredUnused(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The beginning of an `UnusedReading`."""

    name: str
    reason: str


class StoredInputs(StoredFeatures, frozen=True, gc=False):
    """What of a snapshot is counted of each day: the features, and what was left out."""

    not_used: tuple[StoredUnused, ...] = ()


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What was concluded, beside the snapshot it was concluded from."""

    news2: EarlyWarning | None
    news2_omitted: str | None
    risk: RiskEstimate | None
    risk_omitted: str | None
    states: tuple[StateTag, ...]
    would_help: tuple[str, ...]
    state_model: StateEstimate | None = None


class SaidRisk(msgspec.Struct, frozen=True, gc=False):
    """A risk without what drove it."""

    probability: float
    band: str


class SaidState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The beginning of a `StateTag`."""

    state: str


class Said(msgspec.Struct, frozen=True, gc=False):
    """The part of an outcome a label can agree with: read a million at a time, so no more than that."""

    risk: SaidRisk | None
    risk_omitted: str | None
    states: tuple[SaidState, ...]


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """NEWS2 without its points."""

    lower: int
    upper: int


class Gist(msgspec.Struct, frozen=True, gc=False):
    """What a reviewer's queue and a list of similar cases need of an outcome."""

    news2: Bounds | None
    risk: SaidRisk | None
    states: tuple[StateTag, ...]
    state_model: StateEstimate | None = None


class RareOutcome(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="rare"):
    """The findings of a ranking and the list itself; `kind` comes first and tells it from an `Outcome`."""

    phenotype: Phenotype
    ranking: Ranking


def _as_builtin(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a prediction holds no {type(value).__name__}")


_ENCODE = msgspec.json.Encoder(enc_hook=_as_builtin).encode
_SNAPSHOT = msgspec.json.Decoder(PatientSnapshot)
_FEATURES = msgspec.json.Decoder(StoredFeatures)
_INPUTS = msgspec.json.Decoder(StoredInputs)
_OUTCOME = msgspec.json.Decoder(Outcome)
_SAID = msgspec.json.Decoder(Said)
_GIST = msgspec.json.Decoder(Gist)
_RARE_OUTCOME = msgspec.json.Decoder(RareOutcome)
_IS_RARE = b'{"kind":"rare",'
_MEMBERS = tuple(field.name for field in fields(PatientSnapshot))
_values_of = attrgetter(*_MEMBERS)


def snapshot_bytes(snapshot: PatientSnapshot) -> bytes:
    """JSON of the snapshot without who it is of."""
    members = dict(zip(_MEMBERS, _values_of(snapshot), strict=True))
    members["identity"] = _NOBODY  # the copy of a frozen dataclass costs as much as the rest
    return _ENCODE(members)


def outcome_bytes(prediction: Prediction | RareAssessment) -> bytes:
    """JSON of what was concluded."""
    if isinstance(prediction, RareAssessment):
        return _ENCODE(RareOutcome(prediction.phenotype, prediction.ranking))
    return _ENCODE(
        Outcome(
            news2=prediction.news2,
            news2_omitted=prediction.news2_omitted,
            risk=prediction.risk,
            risk_omitted=prediction.risk_omitted,
            states=prediction.states,
            would_help=prediction.would_help,
            state_model=prediction.state_model,
        )
    )


def snapshot_from_bytes(snapshot: bytes) -> PatientSnapshot:
    """The snapshot a prediction was made of, of nobody in particular."""
    return _SNAPSHOT.decode(snapshot)


def contents_from_bytes(snapshot: bytes, outcome: bytes) -> Contents | None:
    """What a dataset needs of an assessment; None where rare diseases were ranked."""
    if is_ranking(outcome):
        return None
    inputs, said = _FEATURES.decode(snapshot), _SAID.decode(outcome)
    risk = said.risk
    return Contents(
        features=feature_row(inputs),
        conditions=[(one.system, one.code) for one in inputs.conditions or ()],
        probability=None if risk is None else risk.probability,
        band=None if risk is None else risk.band,
        risk_omitted=said.risk_omitted,
        states=[tag.state for tag in said.states],
    )


def inputs_from_bytes(snapshot: bytes) -> StoredInputs:
    """What of the snapshot the features and a day's counts are made of."""
    return _INPUTS.decode(snapshot)


def is_ranking(outcome: bytes) -> bool:
    """Whether rare diseases were ranked."""
    return outcome.startswith(_IS_RARE)


def outcome_from_bytes(outcome: bytes) -> Outcome | None:
    """What was concluded of vital signs; None where rare diseases were ranked."""
    return None if is_ranking(outcome) else _OUTCOME.decode(outcome)


def concluded_from_bytes(outcome: bytes) -> Outcome | RareOutcome:
    """What was concluded, whether of vital signs or of rare diseases."""
    return _RARE_OUTCOME.decode(outcome) if is_ranking(outcome) else _OUTCOME.decode(outcome)


def phenotype_from_bytes(outcome: bytes) -> Phenotype | None:
    """The findings rare diseases were ranked for; None where vital signs were assessed."""
    return _RARE_OUTCOME.decode(outcome).phenotype if is_ranking(outcome) else None


def gist_from_bytes(outcome: bytes) -> Gist | None:
    """The gist of an outcome of vital signs; None where rare diseases were ranked."""
    return None if is_ranking(outcome) else _GIST.decode(outcome)


def ranking_from_bytes(outcome: bytes) -> Ranking | None:
    """The ranking of rare diseases; None where vital signs were assessed."""
    return _RARE_OUTCOME.decode(outcome).ranking if is_ranking(outcome) else None


def prediction_from_bytes(
    snapshot: bytes, outcome: bytes, *, prediction_id: UUID, model_version: str, site_hash: str, identity: Identity
) -> Prediction | RareAssessment:
    """The prediction as it was answered, joined with the identity read from its own table."""
    whole = replace(_SNAPSHOT.decode(snapshot), identity=identity)
    if is_ranking(outcome):
        ranked = _RARE_OUTCOME.decode(outcome)
        return RareAssessment(prediction_id, whole, ranked.phenotype, ranked.ranking, site_hash)
    concluded = _OUTCOME.decode(outcome)
    return Prediction(
        id=prediction_id,
        snapshot=whole,
        news2=concluded.news2,
        news2_omitted=concluded.news2_omitted,
        risk=concluded.risk,
        risk_omitted=concluded.risk_omitted,
        states=concluded.states,
        would_help=concluded.would_help,
        model_version=model_version,
        site_hash=site_hash,
        state_model=concluded.state_model,
    )
