"""The service with a listener beside HTTP whose handler waits as long as a message says, for the test of its end."""

import os
import time
from collections.abc import Callable

from cds_service.app import create_app
from cds_service.domain.actor import Actor
from cds_service.hl7.framing import Broken
from cds_service.mllp.connection import Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.runtime import Runtime
from cds_service.settings import Settings
from cds_service.web import serving


def handle(message: bytes, _sender: Actor) -> list[bytes]:
    time.sleep(float(message))
    return [b"waited " + message]


def refuse(_broken: Broken, _sender: Actor) -> list[bytes]:
    return []


def start_listener(runtime: Runtime) -> Callable[[], object]:
    listener = MllpListener(runtime.settings, Receiver(handle, refuse))
    listener.start()
    return listener.drain


if __name__ == "__main__":
    serving.serve(Settings.from_environment(os.environ), create_app, start_listener)
