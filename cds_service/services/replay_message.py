"""Stored messages taken up again: pending ones by the process itself, refused or pending ones by an operator."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.domain.label import Label
from cds_service.errors import Conflict, InvalidMessage
from cds_service.monitoring.metrics import count_label
from cds_service.services.assess_message import SCORING
from cds_service.services.intake import Arrival, Intake
from cds_service.services.keep_readings import brought_by
from cds_service.services.label_messages import with_labels
from cds_service.services.receive_message import conclude
from cds_service.storage.message_entry import Brought, Status
from cds_service.storage.stored_messages import WholeMessage, count_attempt, list_messages, read_whole

log = logs.get_logger(__name__)

# Chosen by us: a model that fails on a message every half minute has had five minutes; an operator may try again.
MOST_ATTEMPTS = 10
# Chosen by us: the writer has room for others meanwhile.
PENDING_AT_ONCE = 200
REPLAYED = (Status.PENDING, Status.REFUSED)


def score_pending(engine: Engine, intake: Intake, *, by: Actor, at: datetime) -> None:
    """Score some messages that could not be when they came, the oldest first; the rest when it is due again.

    One the rules of today refuse does not keep the others waiting: it is left to an operator after some attempts.
    """
    waiting = list_messages(engine, statuses=[Status.PENDING], limit=PENDING_AT_ONCE, attempts_under=MOST_ATTEMPTS)
    for row in waiting:
        try:
            replay_message(read_whole(engine, intake.keyring, row.id), intake, by=by, at=at)
        except InvalidMessage as error:
            log.warning("message_not_taken_up", message_id=str(row.id), reason=str(error))
            intake.submit(count_attempt(row.id))


def replay_message(whole: WholeMessage, intake: Intake, *, by: Actor, at: datetime) -> Status:
    """What becomes of a pending or refused message by today's rules and model; stored before it is returned.

    Readings are judged as of now: what has become old meanwhile is left out as in any message; what was of the future
    when it came stays refused. `by` is who took it up.
    Raises InvalidMessage when it still cannot be read, Conflict when it is neither pending nor refused.
    """
    row = whole.row
    was = Status(row.status)
    if was not in REPLAYED:
        raise Conflict(f"is {was.value}: nothing is left to do", where=str(row.id))
    actor = Actor(name=row.actor, kind="client", role="client", tenant=row.tenant, environment=row.environment)
    message = intake.read(whole.raw, row.received_at)
    arrival = Arrival(row.id, whole.raw, actor, at)
    entry, made = conclude(arrival, message, intake)
    if was is Status.PENDING and entry.status is Status.PENDING:
        if entry.reason.startswith(f"{SCORING}:"):
            intake.submit(count_attempt(row.id))
        return entry.status
    brought, is_taken = Brought(), entry.status in (Status.ACCEPTED, Status.PENDING)
    if is_taken:
        brought = brought_by(message, made, tenant=row.tenant, keyring=intake.keyring, message_id=row.id, at=at)
    if was is Status.PENDING:  # its readings were kept when it came
        brought = brought._replace(patients=[one._replace(arrived=()) for one in brought.patients], events=())
    change, entered = intake.log.again(entry, brought, was=was, by=by.name), list[Label]()
    if is_taken:
        site, received = intake.assessor.site.hl7, intake.received(arrival)
        change, entered = with_labels(change, message, received, site, is_new=bool)
    is_done: bool = intake.submit(change)
    for label in entered:
        count_label(label)
    log.info("message_taken_up", message_id=str(row.id), status=entry.status.value, complete=is_done)
    return entry.status
