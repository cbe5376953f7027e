"""A filled form becomes what every door stores: a prediction, and where symptoms were given a ranking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256

import msgspec

from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import Heard, RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.inference.ranker_service import RareDiseases
from cds_service.records.reader import snapshot_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.answering import commit, mode_of, predict_from
from cds_service.web.console import form
from cds_service.web.console.rare_view import RareView, rare_view_of
from cds_service.web.console.symptoms import name_of
from cds_service.web.console.view import View, view_of
from cds_service.web.context import runtime
from cds_service.web.documents import prediction_document
from cds_service.web.ranking import rank_from
from cds_service.web.rare_documents import rare_document
from cds_service.web.stored import stored_prediction

_MOST_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Filled:
    """A form nothing is asked about any more. `key` is the page's own, `reasons` why impossible values were kept."""

    given: Mapping[str, str]
    heard: Heard
    reasons: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is shown: the prediction, and the ranking where there is one; neither where the tenant is silent."""

    view: View | None
    rare: RareView | None


def outcome_of(filled: Filled, actor: Actor, language: str, known: RareDiseases | None) -> Outcome:
    """What the form came to, stored. The same form of the same page is stored once."""
    process = runtime()
    at, zone, told = process.now(), process.settings.site.zone_info, words(language)
    digest = sha256(msgspec.json.encode([sorted(filled.given.items()), filled.heard, filled.reasons]))
    asked = Asked(
        actor=actor,
        service="triage",
        language=language,
        request_hash=digest.digest(),
        hook_instance=f"{filled.key}:{digest.hexdigest()[:32]}" if filled.key else None,
        mode=mode_of(actor),
    )
    snapshot = _snapshot(filled, at)
    prediction = predict_from(snapshot, actor)
    wants_ranking = any(filled.heard) and known is not None
    ranking = rank_from(snapshot, filled.heard, _MOST_CANDIDATES, actor=actor) if wants_ranking else None
    # Only what is whole is stored: whatever cannot be assessed was found out by now.
    shown = _kept(prediction, asked, prediction_document(prediction))
    ranked: Prediction | RareAssessment | None = None
    if ranking is not None:
        ranked = _kept(ranking, replace(asked, service="rare-diseases"), rare_document(ranking))
    if asked.mode is not Mode.LIVE:
        return Outcome(None, None)
    named = str if known is None else partial(name_of, known=known)
    return Outcome(
        view_of(shown, told, zone) if isinstance(shown, Prediction) else None,
        rare_view_of(ranked, told, zone, named=named) if isinstance(ranked, RareAssessment) else None,
    )


def _snapshot(filled: Filled, at: datetime) -> PatientSnapshot:
    process = runtime()
    record, identity = form.record_of(filled.given, today=at.astimezone(process.settings.site.zone_info).date())
    if record.get("spo2_scale") == "2":
        record["spo2_scale_at"] = at.isoformat()
    snapshot = snapshot_from_record(record, at=at, policy=process.settings.site.reading, tables=process.tables)
    kept = dict.fromkeys(f"impossible-kept-{reason}" for reason in filled.reasons)
    unknown = () if form.is_identified(filled.given) else ("identity-unknown",)
    return replace(snapshot, identity=identity, remarks=(*snapshot.remarks, *unknown, *kept))


def _kept(assessed: Prediction | RareAssessment, asked: Asked, document: object) -> Prediction | RareAssessment:
    """What was assessed, once it is stored; what was stored before, where the form came before."""
    stored = commit(assessed, asked, document)
    return stored_prediction(str(stored.id), asked.actor) if stored.replayed else assessed
