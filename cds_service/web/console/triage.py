"""The triage form: typed vital signs in, the stored and explained prediction beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec
from flask import Response, request

from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.records.reader import snapshot_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.answering import commit, mode_of, predict_from, stored_prediction
from cds_service.web.console import form
from cds_service.web.console.pages import console, page, page_language, person
from cds_service.web.console.sessions import require_own_form
from cds_service.web.console.view import View, view_of
from cds_service.web.context import runtime
from cds_service.web.documents import prediction_document

# Why an impossible value is kept: a list, since words of one's own could name the patient.
_KEPT = ("device", "repeated", "chart")


@console.get("/triage")
def triage() -> Response:
    """The empty form."""
    return _form_page(person(runtime()), {})


@console.post("/triage")
def assess_form() -> Response:
    """The form as it was filled, and the prediction; or what must be looked at first, with nothing stored."""
    actor = person(runtime())
    require_own_form()
    given = {name: value for name in form.NAMES if (value := request.form.get(name, "").strip())}
    try:
        doubts = form.doubts(given)
        if not _are_settled(doubts, given):
            return _form_page(actor, given, status=422, doubts=doubts)
        shown = _assessed(given, doubts, actor)
    except BadRequest as error:
        return _form_page(actor, given, status=400, wrong=error.where)
    return _form_page(actor, given, shown=shown, is_silent=shown is None)


def _are_settled(doubts: tuple[form.Doubt, ...], given: Mapping[str, str]) -> bool:
    """Whether each doubtful number was confirmed as it stands, and each impossible one with a reason."""
    confirmed = set(request.form.getlist("confirmed"))
    reason = request.form.get("kept")
    return all(
        (reason in _KEPT) if doubt.is_impossible else (f"{doubt.name}={given[doubt.name]}" in confirmed)
        for doubt in doubts
    )


def _assessed(given: Mapping[str, str], doubts: tuple[form.Doubt, ...], actor: Actor) -> View | None:
    """The stored prediction; None where the tenant's predictions are not shown. The same form twice is stored once."""
    process = runtime()
    at = process.now()
    asked = Asked(
        actor=actor,
        service="triage",
        language=page_language(),
        request_hash=sha256(msgspec.json.encode(sorted(given.items()))).digest(),
        hook_instance=request.form.get("key", "")[:64] or None,
        mode=mode_of(actor),
    )
    zone = process.settings.site.zone_info
    record, identity = form.record_of(given, today=at.astimezone(zone).date())
    if record.get("spo2_scale") == "2":
        record["spo2_scale_at"] = at.isoformat()
    snapshot = snapshot_from_record(record, at=at, policy=process.settings.site.reading, tables=process.tables)
    kept = tuple(f"impossible-kept-{request.form['kept']}" for doubt in doubts if doubt.is_impossible)
    snapshot = replace(snapshot, identity=identity, remarks=(*snapshot.remarks, *dict.fromkeys(kept)))
    prediction = predict_from(snapshot)
    stored = commit(prediction, asked, prediction_document(prediction))
    if asked.mode is not Mode.LIVE:
        return None
    found = stored_prediction(str(stored.id), actor) if stored.replayed else prediction
    if isinstance(found, RareAssessment):
        raise BadRequest("this form was sent for something else", where="key")
    return view_of(found, words(page_language()), zone)


def _form_page(actor: Actor, given: Mapping[str, str], *, status: int = 200, **values: Any) -> Response:
    return page(
        "triage.html",
        actor=actor,
        status=status,
        form=form,
        given=given,
        signs=VITAL_SIGNS,
        key=uuid4().hex,
        **values,
    )
