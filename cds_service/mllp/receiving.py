"""What the listener does with messages: the same use case HTTP has, and what is said while the database is away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.errors import Unavailable
from cds_service.hl7.ack import Reply
from cds_service.hl7.framing import Broken, Fault
from cds_service.mllp.connection import Answers, Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.mllp.pool import Later
from cds_service.runtime import Runtime, collect_rarely
from cds_service.services.receive_message import (
    Prepared,
    prepare_broken,
    prepare_message,
    prepare_too_large,
    trouble,
)
from cds_service.settings import Settings
from cds_service.storage.writer import GroupWriter

log = logs.get_logger(__name__)


def listen(runtime: Runtime) -> Callable[[], object]:
    """Start the listener where one is configured; the function that drains it."""
    if runtime.settings.mllp_bind is None:
        return lambda: None
    listener = MllpListener(runtime.settings, receiver(runtime))
    listener.start()
    runtime.watched["mllp"] = lambda: "" if listener.healthy() else "takes no messages"
    return listener.drain


def serve_alone(settings: Settings) -> int:
    """Take messages until SIGTERM or SIGINT without an HTTP server beside; the exit code of the process."""
    logs.configure(settings.log_file)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    runtime = Runtime.from_settings(settings)
    runtime.start()
    drain = listen(runtime)
    collect_rarely()
    stopping.wait()
    drain()
    runtime.drain()
    return 0


def receiver(runtime: Runtime) -> Receiver:
    """Messages into this runtime."""

    def handle(message: bytes, sender: Actor) -> Answers | Later[Answers]:
        at = runtime.now()
        prepared = prepare_message(message, sender, runtime.beside.intake, at=at)
        return _storing(prepared, runtime.writer, lambda: trouble(message, at=at))

    def refuse(broken: Broken, sender: Actor) -> Answers | Later[Answers]:
        at, content = runtime.now(), broken.content
        if broken.fault is Fault.TOO_LARGE:
            prepared = prepare_too_large(content, sender, runtime.beside.intake, at=at)
        else:
            prepared = prepare_broken(content, f"frame: {broken.fault.value}", sender, runtime.beside.intake, at=at)
        return _storing(prepared, runtime.writer, Reply)

    return Receiver(handle, refuse)


def _storing(prepared: Prepared | None, writer: GroupWriter, away: Callable[[], Reply]) -> Answers | Later[Answers]:
    """What waits for the writer; `away` is what is said while it takes nothing."""
    if prepared is None:
        return ()

    def begin(ended: Callable[[], object]) -> Callable[[], Answers]:
        outcome = writer.begin_change(prepared.change, ended)

        def answers() -> Answers:
            try:
                reply = prepared.reply(outcome())
            except Unavailable as error:
                log.warning("message_not_stored", reason=error.text)
                reply = away()
            return [answer for answer in reply if answer is not None]

        return answers

    return Later(begin, writer.deadline_s)
