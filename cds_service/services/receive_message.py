"""One HL7 v2 message: from its bytes to acknowledgments, which leave after message and predictions are committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from cds_service import logs
from cds_service.domain.actor import Actor, counted_as
from cds_service.domain.label import Label
from cds_service.domain.prediction import Prediction
from cds_service.errors import InvalidMessage, Suspended, Unavailable
from cds_service.hl7.ack import Reply, acknowledge, acknowledge_refusal, acknowledge_trouble
from cds_service.hl7.conformance import require_valid
from cds_service.hl7.header import Header, peek
from cds_service.hl7.message import Message
from cds_service.hl7.times import moment_of
from cds_service.monitoring import messages as metrics
from cds_service.monitoring.feeds import FeedKey, Heard
from cds_service.monitoring.metrics import count_label, count_prediction
from cds_service.services.assess_message import Assessed
from cds_service.services.intake import Arrival, Intake
from cds_service.services.keep_readings import brought_by, unfollowed
from cds_service.services.label_messages import with_labels
from cds_service.stages import turn
from cds_service.storage.change import Change
from cds_service.storage.message_entry import Brought, MessageEntry, Status, StoredMessage
from cds_service.storage.prediction_log import new_prediction_id

log = logs.get_logger(__name__)

# Chosen by us: what is kept of bytes that are no message; enough to see what a sender does wrong.
_KEPT_OF_BROKEN = 64 * 1024
_LONGEST_REASON = 200
_UNANSWERED = Reply()


class Prepared(NamedTuple):
    """A message read and assessed: what must be stored before it is answered."""

    change: Change[StoredMessage]
    made: tuple[Assessed, ...]
    note: Callable[[], object]  # that something was heard of its sender
    entered: Sequence[Label] = ()  # labels, once it is stored
    offer: Callable[[Prediction], object] = bool  # has a prediction scored by challengers, after the answer

    def reply(self, stored: StoredMessage) -> Reply:
        """How it is acknowledged; the same bytes again get the same acknowledgments."""
        self.note()
        if not stored.repeated:
            for one in self.made:
                count_prediction(one.prediction, counted_as(one.entry.tenant, one.entry.environment))
                self.offer(one.prediction)
        for label in self.entered:
            count_label(label)
        log.info("message_stored", message_id=str(stored.id), status=stored.status, replayed=stored.repeated)
        metrics.received(str(stored.status), "yes" if stored.repeated else "no").inc()
        return _counted(Reply(stored.accept, stored.application))


def receive_message(raw: bytes, actor: Actor, intake: Intake, *, at: datetime) -> Reply:
    """How the message is acknowledged, once it is stored.

    Raises Unavailable when it cannot be stored now: it was perhaps stored and perhaps not.
    """
    prepared = prepare_message(raw, actor, intake, at=at)
    return _UNANSWERED if prepared is None else prepared.reply(intake.submit(prepared.change))


def prepare_message(raw: bytes, actor: Actor, intake: Intake, *, at: datetime) -> Prepared | None:
    """The message read and assessed; None for what is neither stored nor answered."""
    arrival = Arrival(new_prediction_id(at), raw, actor, at)
    try:
        message = intake.read(raw, at)
        if intake.is_strict:
            require_valid(raw)
    except InvalidMessage as error:
        return _refuse(arrival, error, intake)
    return _take(arrival, message, intake)


def prepare_broken(content: bytes, reason: str, actor: Actor, intake: Intake, *, at: datetime) -> Prepared:
    """Keep bytes that are no message, so that somebody can look at what was sent."""
    arrival = Arrival(new_prediction_id(at), content[:_KEPT_OF_BROKEN], actor, at)
    return _prepared(_entry(arrival, peek(content), Status.REFUSED, reason=reason), intake)


def prepare_too_large(content: bytes, actor: Actor, intake: Intake, *, at: datetime) -> Prepared | None:
    """Keep the beginning of a message over the limit; its answer where its header says which message it was."""
    header = peek(content)
    error = InvalidMessage("is too large; send it in parts", where="MSH", code=207)
    arrival = Arrival(new_prediction_id(at), content[:_KEPT_OF_BROKEN], actor, at)
    if header is None or not header.control_id:
        return prepare_broken(content, str(error), actor, intake, at=at)
    return _refuse(arrival, error, intake)


def trouble(raw: bytes, *, at: datetime) -> Reply:
    """What is answered while nothing can be stored; nothing to what never is."""
    header = peek(raw)
    if header is not None and header.is_acknowledgment:
        return _UNANSWERED
    control_id = Arrival(new_prediction_id(at), raw, _NOBODY, at).control_id
    return _counted(acknowledge_trouble(header, at=at, control_id=control_id))


_NOBODY = Actor(name="", kind="client", role="client", tenant="", environment="test")


def _refuse(arrival: Arrival, error: InvalidMessage, intake: Intake) -> Prepared | None:
    if not error.is_answered:
        metrics.received("acknowledgment", "no").inc()
        return None
    reply = acknowledge_refusal(arrival.raw, error, at=arrival.at, control_id=arrival.control_id)
    header = peek(arrival.raw)
    entry = _entry(arrival, header, Status.REFUSED, reason=str(error), reply=reply)
    return _prepared(entry, intake, heard=None if header is None else Heard())


def _take(arrival: Arrival, message: Message, intake: Intake) -> Prepared:
    entry, made = conclude(arrival, message, intake)
    turn()
    is_taken = entry.status in (Status.ACCEPTED, Status.PENDING)
    brought = None
    if is_taken:
        brought = brought_by(
            message, made, tenant=entry.tenant, keyring=intake.keyring, message_id=entry.id, at=entry.received_at
        )
    prepared = _prepared(entry, intake, made=made, brought=brought, heard=_heard(arrival, message, intake))
    if not is_taken:
        return prepared
    site, received = intake.assessor.site.hl7, intake.received(arrival)
    change, entered = with_labels(prepared.change, message, received, site, is_new=lambda one: not one.repeated)
    return prepared._replace(change=change, entered=entered, offer=partial(_offered, intake, arrival.actor))


def _offered(intake: Intake, actor: Actor, prediction: Prediction) -> None:
    intake.offer(prediction, actor)


def _heard(arrival: Arrival, message: Message, intake: Intake) -> Heard:
    site, header = intake.assessor.site.hl7, message.header
    sent = moment_of(header.time, site.sender(header.sender).zone or site.zone)
    delay = None if sent is None or "time-partial" in sent.flags else arrival.at - sent.time
    return Heard(delay, message.account.read.get("OBX", 0), message.account.unmapped)


def conclude(arrival: Arrival, message: Message, intake: Intake) -> tuple[MessageEntry, tuple[Assessed, ...]]:
    """What becomes of a message that was read, and what is predicted of its patients; pending where nothing can be."""
    made: tuple[Assessed, ...] = ()
    status, reason = Status.ACCEPTED, ""
    faults = [*message.faults, *unfollowed(message)]
    errors = [f"{one.where}: {one.text}" for one in faults if one.is_error]
    if errors:
        status, reason = Status.REFUSED, "; ".join(errors)
    elif not message.header.is_production:
        status, reason = Status.IGNORED, "MSH-11: not of real patients"
    elif not message.patients:
        status, reason = Status.IGNORED, "holds nothing but a header"
    else:
        try:
            made = intake.assessor.assess(message, arrival.actor, message_id=arrival.id, raw=arrival.raw, at=arrival.at)
        except Suspended as error:
            reason = str(error)
        except Unavailable as error:
            status, reason = Status.PENDING, str(error)
    reply = acknowledge(message.header, faults, at=arrival.at, control_id=arrival.control_id)
    return _entry(arrival, message.header, status, reason=reason, reply=reply, remarks=message.remarks), made


def _entry(
    arrival: Arrival,
    header: Header | None,
    status: Status,
    *,
    reason: str,
    reply: Reply = _UNANSWERED,
    remarks: tuple[str, ...] = (),
) -> MessageEntry:
    is_test = header is not None and not header.is_production
    return MessageEntry(
        id=arrival.id,
        tenant=arrival.actor.tenant,
        environment="test" if is_test else arrival.actor.environment,
        actor=arrival.actor.name,
        sender="" if header is None else header.sender,
        control_id="" if header is None else header.control_id,
        sha256=sha256(arrival.raw).digest(),
        type="" if header is None else f"{header.type}^{header.trigger}".rstrip("^"),
        status=status,
        received_at=arrival.at,
        raw=arrival.raw,
        reason=reason[:_LONGEST_REASON],
        remarks=remarks,
        accept=reply.accept,
        application=reply.application,
    )


def _prepared(
    entry: MessageEntry,
    intake: Intake,
    *,
    made: tuple[Assessed, ...] = (),
    brought: Brought | None = None,
    heard: Heard | None = None,
) -> Prepared:
    feed = FeedKey(entry.actor, entry.sender)
    note = bool if heard is None else partial(intake.feeds.note, feed, heard, entry.received_at)
    return Prepared(intake.log.store(entry, brought or Brought()), made, note)


def _counted(reply: Reply) -> Reply:
    for answer in reply:
        if answer is not None:
            metrics.answered(_code(answer)).inc()
    return reply


def _code(answer: bytes) -> str:
    """MSA-1 of an acknowledgment of ours."""
    start = answer.index(b"\rMSA") + 5
    return answer[start : start + 2].decode()
