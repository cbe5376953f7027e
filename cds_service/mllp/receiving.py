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
from cds_service.mllp.connection import Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.mllp.pool import Answers
from cds_service.runtime import Runtime
from cds_service.services.receive_message import receive_message, refuse_bytes, refuse_too_large, trouble
from cds_service.settings import Settings

log = logs.get_logger(__name__)


def listen(runtime: Runtime) -> Callable[[], object]:
    """Start the listener where one is configured; the function that drains it."""
    if runtime.settings.mllp_bind is None:
        return lambda: None
    listener = MllpListener(runtime.settings, receiver(runtime))
    listener.start()
    runtime.watched["mllp"] = listener.healthy
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
    stopping.wait()
    drain()
    runtime.drain()
    return 0


def receiver(runtime: Runtime) -> Receiver:
    """Messages into this runtime."""

    def handle(message: bytes, sender: Actor) -> Answers:
        at = runtime.now()
        try:
            return _answers(receive_message(message, sender, runtime.intake, at=at))
        except Unavailable as error:
            log.warning("message_not_stored", reason=error.text)
            return _answers(trouble(message, at=at))

    def refuse(broken: Broken, sender: Actor) -> Answers:
        try:
            if broken.fault is Fault.TOO_LARGE:
                return _answers(refuse_too_large(broken.content, sender, runtime.intake, at=runtime.now()))
            refuse_bytes(broken.content, f"frame: {broken.fault.value}", sender, runtime.intake, at=runtime.now())
        except Unavailable as error:
            log.warning("message_not_stored", reason=error.text)
        return ()

    return Receiver(handle, refuse)


def _answers(reply: Reply) -> Answers:
    return [answer for answer in reply if answer is not None]
