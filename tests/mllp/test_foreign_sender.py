"""Somebody else's MLLP client sends a message; a CDS hook for that patient then shows what it said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import hl7
import pytest
from hl7.client import MLLPClient

from bench.processes import free_port, server, wait_for
from cds_service.services.example import moved_to_now
from tests.conftest import CDS, REPOSITORY, environment
from tests.databases import KINDS, Database, a_database
from tests.mllp.conversing import PATIENCE_S

pytestmark = pytest.mark.slow

SYSTEM = "urn:oid:1.2.36.146.595.217.0.1"
MESSAGE = (
    "MSH|^~\\&|MONITOR|ED|CDS|HOSP|{now}||ORU^R01^ORU_R01|W-7|P|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||EX-104872^^^HOSP^MR||Example^Rosa||19540621|F\r"
    "PV1|1|E|ED^01^1\r"
    "OBR|1||FI-1|85353-1^Vital signs panel^LN|||{taken}\r"
    "OBX|1|NM|8867-4^Heart rate^LN||131|/min|||||F|||{taken}\r"
    "OBX|2|NM|9279-1^Respiratory rate^LN||27|/min|||||F|||{taken}\r"
    "OBX|3|NM|8480-6^Systolic blood pressure^LN||94|mm[Hg]|||||F|||{taken}\r"
)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with a_database(request, tmp_path) as database:
        yield database


@pytest.fixture
def ports(database: Database, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """HTTP and MLLP: one process on SQLite, `cds serve` and `cds serve-mllp` on PostgreSQL."""
    site = tmp_path / "site.toml"
    site.write_text(f'[hl7.authorities]\nHOSP = "{SYSTEM}"\n', encoding="utf-8")
    http, mllp = free_port(), free_port()
    variables = environment(tmp_path, **database.settings, CDS_SITE_FILE=str(site), PYTHONPATH=str(REPOSITORY))
    web, listener = {"CDS_HTTP_BIND": f"127.0.0.1:{http}"}, {"CDS_MLLP_BIND": f"127.0.0.1:{mllp}"}
    log = tmp_path / "output.txt"
    with ExitStack() as running:
        if database.kind == "sqlite":
            process = running.enter_context(server([*CDS, "serve"], http, {**variables, **web, **listener}, log))
            wait_for(mllp, process)
        else:
            running.enter_context(server([*CDS, "serve"], http, {**variables, **web}, log))
            running.enter_context(server([*CDS, "serve-mllp"], mllp, {**variables, **listener}, log))
        yield http, mllp
    assert "Traceback" not in log.read_text(encoding="utf-8")


def hook_without_vitals() -> bytes:
    text = (REPOSITORY / "fixtures" / "hooks" / "try.json").read_text(encoding="utf-8")
    now = datetime.now(UTC)
    body = json.loads(moved_to_now(text, now, hook_instance="5b0d2a34-92a4-4e52-8a5e-0c6f4e1d9a11"))
    for key in ("observations", "examinations"):
        body["prefetch"].pop(key, None)
    return json.dumps(body).encode()


def ask(port: int) -> dict[str, Any]:
    request = Request(
        f"http://127.0.0.1:{port}/cds-services/vitals-risk",
        hook_without_vitals(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=PATIENCE_S) as answer:
        [card] = json.load(answer)["cards"]
    found: dict[str, Any] = card
    return found


def test_what_a_foreign_client_sends_is_on_the_card_of_that_patient(ports: tuple[int, int]) -> None:
    http, mllp = ports
    now = datetime.now(UTC)
    sent = hl7.parse(
        MESSAGE.format(
            now=now.strftime("%Y%m%d%H%M%S+0000"),
            taken=(now - timedelta(minutes=4)).strftime("%Y%m%d%H%M%S+0000"),
        )
    )

    with MLLPClient("127.0.0.1", mllp) as client:
        answer = hl7.parse(client.send_message(sent).decode().strip("\x0b\x1c\r"))
    card = ask(http)

    assert (str(answer["MSA.F1"]), str(answer["MSA.F2"])) == ("AA", "W-7")
    for shown in ("heart rate 131/min (`MONITOR W-7 OBX[1]`)", "breathing 27/min", "systolic 94 mmHg"):
        assert shown in card["detail"]
    assert card["indicator"] == "critical"
