"""The registry as pages: what is published, judged and decided, and the forms that decide as the commands do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Response, request

from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor, counted_as
from cds_service.domain.decision import TASKS, Decision
from cds_service.errors import CdsError, ConfigurationError, NotFound, Unauthorized
from cds_service.i18n import msgid
from cds_service.runtime import Runtime
from cds_service.services.model_shelf import card_text, shelf
from cds_service.services.registry import Asked, Registry
from cds_service.services.shadow_report import shadow_report
from cds_service.storage.decisions import read_decisions
from cds_service.storage.people import read_user
from cds_service.storage.shadow_log import last_version, read_scores
from cds_service.web.authentication import user_with_password
from cds_service.web.console.gate_words import answer_change, gate_reason
from cds_service.web.console.pages import console, link, page, page_language, person
from cds_service.web.console.panel import Told
from cds_service.web.console.refusals import refusal_text
from cds_service.web.console.sessions import require_own_form
from cds_service.web.context import runtime, see_other

_ACTIONS = {
    "seed": msgid("shipped"),
    "promote": msgid("promoted"),
    "rollback": msgid("rolled back"),
    "shadow": msgid("put in shadow"),
    "unshadow": msgid("taken out of shadow"),
}
_TITLES = {"risk": msgid("Risk of intensive care"), "state": msgid("The five states")}


@console.get("/models")
def models() -> Response:
    """Every task with its versions, verdicts and decisions."""
    return _models_page(person(runtime()))


@console.get("/models/<task>/<version>")
def model_version(task: str, version: str) -> Response:
    """One version: every check of the gate with value and bound, and its card."""
    process = runtime()
    actor = person(process)
    found = next((one for one in _shelf(process, task).versions if one.id.version == version), None)
    if found is None:
        raise NotFound("no such version is published")
    try:
        card = card_text(process.settings.models_dir, task, version)
    except ConfigurationError:
        card = ""
    told = _told()
    return page(
        "model.html",
        actor=actor,
        task=task,
        title=_TITLES[task],
        found=found,
        card=card,
        shown=partial(_shown, told),
        reason=partial(gate_reason, words=told.words),
        problem=refusal_text(found.problem.text, told.words) if found.problem else None,
    )


@console.get("/models/<task>/compare")
def compare_models(task: str) -> Response:
    """The version in shadow against the one in force, on what both scored."""
    process = runtime()
    actor = person(process)
    known = _shelf(process, task)
    environment = counted_as(actor.tenant, actor.environment)
    shadow = known.standing.shadow
    version = shadow.version if shadow is not None else last_version(process.engine, task, environment)
    scores = [] if version is None else read_scores(process.engine, task, version, environment)
    report, told = shadow_report(scores, as_of=process.now()), _told()
    return page(
        "compare.html",
        actor=actor,
        task=task,
        title=_TITLES[task],
        version=version,
        report=report,
        told=told,
        change=partial(answer_change, words=told.words),
    )


@console.post("/models/<task>/promote")
def promote_model(task: str) -> Response:
    """Put a version in force, as `cds promote` does."""
    version, overrides = request.form.get("version", ""), request.form.getlist("override")
    return _decided(task, lambda registry, asked: registry.promote(asked, version, overrides))


@console.post("/models/<task>/rollback")
def rollback_model(task: str) -> Response:
    """Put the version before in force again, as `cds rollback` does."""
    return _decided(task, lambda registry, asked: registry.rollback(asked))


def _decided(task: str, made: Callable[[Registry, Asked], Decision]) -> Response:
    """The page again: after the decision, or saying what stands against it. The password is asked for each time."""
    process = runtime()
    actor = person(process)
    require_own_form()
    _shelf(process, task)
    asked = Asked(
        task=task,
        name=actor.name,
        person=read_user(process.engine, actor.name),
        password=request.form.get("password", ""),
        reason=request.form.get("reason", ""),
        at=process.now(),
    )
    try:
        _slow_down(process, asked)
        made(Registry(process.settings.models_dir, process.writer), asked)
    except CdsError as refusal:
        said = refusal_text(refusal.text, words(page_language()))
        return _models_page(
            actor,
            status=refusal.status,
            refused=(task, said or refusal.text),
            is_translated=said is not None,
            file=Path(refusal.where).name if isinstance(refusal, ConfigurationError) else "",
        )
    process.models.refresh()
    return see_other(link("console.models") + f"#{task}")


def _slow_down(process: Runtime, asked: Asked) -> None:
    """Count a wrong password as at every door: TooManyRequests after several. The registry itself refuses it."""
    try:
        user_with_password(process, asked.name, asked.password)
    except Unauthorized:
        return


def _models_page(actor: Actor, *, status: int = 200, **values: Any) -> Response:
    process = runtime()
    decisions = read_decisions(process.engine)
    shelves = [shelf(process.settings.models_dir, task, decisions) for task in TASKS]
    zone = process.settings.site.zone_info
    return page(
        "models.html",
        actor=actor,
        status=status,
        shelves=shelves,
        titles=_TITLES,
        actions=_ACTIONS,
        zone=zone,
        given=request.form,
        **values,
    )


def _shelf(process: Runtime, task: str) -> Any:
    if task not in TASKS:
        raise NotFound("no such task")
    return shelf(process.settings.models_dir, task, read_decisions(process.engine))


def _told() -> Told:
    return Told(words(page_language()))


def _shown(told: Told, value: Any) -> str:
    """A figure of the gate as a person reads it: an estimate with its interval, a range, a number, a word."""
    shown = partial(_shown, told)
    if isinstance(value, dict):
        ends = f" ({shown(value['low'])} – {shown(value['high'])})" if {"low", "high"} <= value.keys() else ""
        rest = [f"{name} {shown(one)}" for name, one in value.items() if name not in ("low", "high", "value")]
        return f"{shown(value['value'])}{ends}" if "value" in value else f"{', '.join(rest)}{ends}"
    if isinstance(value, list):
        return " – ".join(shown(one) for one in value) or "–"
    if isinstance(value, bool) or value is None:
        return "–"  # whether it passed says it all
    return told.figure(value) if isinstance(value, int | float) else str(value)
