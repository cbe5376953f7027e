"""The listeners compared, each in a process of its own: `python -m bench.mllp_servers NAME PORT`.

Ours is the service's own: every message is read, scored, stored durably and acknowledged. hl7apy's reads and answers.
"""

from __future__ import annotations

import os
import sys

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from cds_service.mllp.receiving import serve_alone
from cds_service.settings import Settings
from cds_service.storage.schema import migrate


def serve_ours(port: int) -> None:
    """Our listener with what `cds serve` has behind it, on SQLite."""
    variables = {**os.environ, "CDS_CLIENT_AUTH": "off", "CDS_MLLP_BIND": f"127.0.0.1:{port}"}
    settings = Settings.from_environment(variables)
    migrate(settings.database_url)
    serve_alone(settings)


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
