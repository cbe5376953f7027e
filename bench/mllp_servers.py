"""The listeners compared, each in a process of its own: `python -m bench.mllp_servers NAME PORT`.

Both read an ORU whole and acknowledge it; neither stores anything.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime
from itertools import count

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from cds_service.domain.actor import Actor
from cds_service.hl7.ack import acknowledge
from cds_service.hl7.framing import Broken
from cds_service.hl7.reader import read_message
from cds_service.mllp.connection import Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.settings import Settings

_numbers = count(1)


def read_and_acknowledge(raw: bytes, _sender: Actor) -> list[bytes]:
    """The acknowledgments of a message that was read, and not stored."""
    message = read_message(raw)
    reply = acknowledge(message.header, message.faults, at=datetime.now(UTC), control_id=str(next(_numbers)))
    return [answer for answer in reply if answer is not None]


def refuse(_broken: Broken, _sender: Actor) -> list[bytes]:
    """Nothing is answered to what is no message."""
    return []


def serve_ours(port: int) -> None:
    """Our listener with our reader."""
    variables = {**os.environ, "CDS_CLIENT_AUTH": "off", "CDS_MLLP_BIND": f"127.0.0.1:{port}"}
    listener = MllpListener(Settings.from_environment(variables), Receiver(read_and_acknowledge, refuse))
    listener.start()
    threading.Event().wait()


class _Acknowledge(AbstractHandler):  # type: ignore[misc]
    """Every OBX read with hl7apy, and an acknowledgment built with it."""

    def reply(self) -> str:
        message = parse_message(self.incoming_message)
        for observation in message.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation:
            _ = observation.obx.obx_3.value, observation.obx.obx_5.value
        answer = Message("ACK", version=message.version)
        answer.msa.msa_1, answer.msa.msa_2 = "AA", message.msh.msh_10.value
        return str(answer.to_mllp())


class _Hl7apyServer(MLLPServer):  # type: ignore[misc]
    request_queue_size = 128  # its own five make senders wait a second for a place
    daemon_threads = True


def serve_hl7apy(port: int) -> None:
    """hl7apy's listener with hl7apy's parser."""
    handlers = {"ORU^R01^ORU_R01": (_Acknowledge,)}
    _Hl7apyServer("127.0.0.1", port, handlers).serve_forever()


SERVERS = {"ours": serve_ours, "hl7apy": serve_hl7apy}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
