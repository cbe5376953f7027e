"""Completes a call's prefetch from the FHIR server its client may name."""

from __future__ import annotations

from functools import partial

import msgspec

from cds_service import logs
from cds_service.cdshooks.catalogue import VITALS_RISK, Service
from cds_service.cdshooks.envelope import Envelope
from cds_service.cdshooks.prefetch import Note, NoteKind, Prefetch, missing_required, read_prefetch
from cds_service.cdshooks.queries import absent_queries
from cds_service.domain.actor import Actor
from cds_service.errors import CdsError, DataRequired
from cds_service.fhir.access import FetchFailed, granted_access
from cds_service.monitoring.metrics import count_fetch
from cds_service.services.stored_readings import Filled
from cds_service.stages import apart
from cds_service.web import strict_json
from cds_service.web.answering import snapshot_from_fhir
from cds_service.web.context import runtime

log = logs.get_logger(__name__)

# The prefetch key under which vital signs come.
_VITALS = "observations"


def complete_prefetch(
    service: Service, call: Envelope, sent: Prefetch, *, raw: dict[str, msgspec.Raw], actor: Actor
) -> Prefetch:
    """The prefetch as it was sent, with what was left out read from the client's FHIR server where it has one.

    Vital signs other systems sent come before the FHIR server's: it is not asked for those. DataRequired when what
    cannot be done without was neither sent nor to be had; anything else that could not be read is said on the card.
    """
    queries = absent_queries(service, call, sent)
    missing = missing_required(service, sent)
    if _VITALS in missing and service is VITALS_RISK and snapshot_with_stored(call, sent, actor).built_on:
        queries.pop(_VITALS, None)
        missing = tuple(key for key in missing if key != _VITALS)
    if not queries or call.fhir_server is None:
        return _with_required(missing, sent, "send this prefetch, or a FHIR server to read it from")
    try:
        found = _fetch(call, queries, actor)
    except DataRequired as refusal:
        return _with_required(missing, sent, f"send this prefetch; fhirServer: {refusal.text}")
    failed = {key: answer.reason for key, answer in found.items() if isinstance(answer, FetchFailed)}
    for key in missing:
        if key in failed:
            raise DataRequired(f"send this prefetch; the FHIR server: {failed[key]}", where=f"prefetch.{key}")
    fetched = {key: msgspec.Raw(answer) for key, answer in found.items() if isinstance(answer, bytes)}
    parts = {**raw, **fetched}
    completed = read_prefetch(service, call.hook, parts, raw=parts)
    notes = tuple(Note(NoteKind.NOT_FETCHED, key) for key in failed)
    return Prefetch(completed.states, completed.parts, completed.notes + notes)


def snapshot_with_stored(call: Envelope, prefetch: Prefetch, actor: Actor) -> Filled:
    """What the prefetch says of the patient; where it brings no vital signs, with those that other systems sent."""
    process = runtime()
    snapshot = snapshot_from_fhir(
        prefetch.parts,
        patient_id=call.patient_id,
        encounter_id=call.encounter_id,
        at=process.now(),
        listed=prefetch.empty_types,
        server=call.fhir_server,
    )
    if prefetch.brings(_VITALS):
        return Filled(snapshot)
    return apart(partial(process.readings.fill, snapshot, actor))


def _with_required(missing: tuple[str, ...], sent: Prefetch, remedy: str) -> Prefetch:
    """What was sent, if it will do."""
    if missing:
        raise DataRequired(remedy, where=f"prefetch.{missing[0]}")
    return sent


def _fetch(call: Envelope, queries: dict[str, str], actor: Actor) -> dict[str, bytes | FetchFailed]:
    process = runtime()
    token = None if call.fhir_authorization is None else call.fhir_authorization["access_token"]
    access = granted_access(call.fhir_server or "", token, process.clients.fhir_rule(actor))
    answers = apart(partial(process.fhir.read, access, queries))
    found = {key: _strict(answer) for key, answer in answers.items()}
    for key, answer in found.items():
        reason = answer.reason if isinstance(answer, FetchFailed) else "ok"
        count_fetch(key, is_found=reason == "ok")
        log.info("prefetch_fetched", where=key, reason=reason)
    return found


def _strict(answer: bytes | FetchFailed) -> bytes | FetchFailed:
    """The answer if it is strict JSON with one resource in it, as every body must be."""
    if isinstance(answer, FetchFailed):
        return answer
    try:
        parsed = strict_json.parse(answer)
    except CdsError:
        return FetchFailed("answered with something else than strict JSON")
    if not isinstance(parsed.document, dict):
        return FetchFailed("answered with something else than a resource")
    return parsed.canonical
