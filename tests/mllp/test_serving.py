"""The listener beside HTTP in one process: both are served, and SIGTERM ends both in order."""

import json
import signal
import socket
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from bench.processes import free_port, server
from cds_service.hl7.framing import framed
from tests.conftest import REPOSITORY, environment, run_cds
from tests.mllp.conversing import PATIENCE_S, Sender, wait_until

pytestmark = pytest.mark.slow


def read(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        found: bytes = answer.read()
    return found


def test_sigterm_answers_the_message_in_flight_and_ends_with_0(tmp_path: Path) -> None:
    http, mllp, log = free_port(), free_port(), tmp_path / "log.jsonl"
    binds = {"CDS_HTTP_BIND": f"127.0.0.1:{http}", "CDS_MLLP_BIND": f"127.0.0.1:{mllp}"}
    variables = environment(tmp_path, **binds, CDS_LOG_FILE=str(log), PYTHONPATH=str(REPOSITORY))
    run_cds("migrate", variables=variables)

    command = [sys.executable, "-m", "tests.mllp.serving_process"]
    with server(command, http, variables, tmp_path / "output.txt") as process:
        with Sender(socket.create_connection(("127.0.0.1", mllp), PATIENCE_S)) as sender:
            at_once = sender.ask(b"0")
            sender.send(framed(b"1.0") + b"\x0bhalf")
            wait_until(lambda: b"cds_mllp_in_flight 1.0" in read(http, "/metrics"))
            process.send_signal(signal.SIGTERM)
            in_flight = sender.answer()
            closed = sender.is_closed()
        code = process.wait(PATIENCE_S)

    assert (at_once, in_flight, closed, code) == (b"waited 0", b"waited 1.0", True, 0)
    events = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]
    events.remove("model_loaded")  # in the background: before or after the rest of the start
    assert events == ["service_started", "mllp_started", "mllp_connection_ended", "mllp_drained", "service_drained"]
