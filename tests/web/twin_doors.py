"""A twin through each door of the service, as golden files keep it. After a wanted change of wording:

`python -m tests.web.twin_doors`, then read the difference.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from cds_service.runtime import Runtime
from cds_service.storage.schema import migrate
from tests.conftest import NOW, REPOSITORY, Service, started
from tests.databases import Database
from tests.web.calls import Json, bundle, cards

TWINS = REPOSITORY / "fixtures" / "twins"
GOLDEN = Path(__file__).parent / "twins"
CASES = sorted(path.name for path in TWINS.iterdir())
DOORS = ("hook", "hl7")
_KEYS = {"encounter": "Encounter", "observations": "Observation", "conditions": "Condition"}
# Not what is compared: an id is drawn anew, and when an acknowledgment was written.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def hook_request(case: str) -> Json:
    """The Bundle of the case as the prefetch of a hook; a kind of resource it does not hold is not prefetched."""
    entries = json.loads((TWINS / case / "bundle.json").read_bytes())["entry"]
    of: dict[str, list[Json]] = {}
    for entry in entries:
        of.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    [who] = of["Patient"]
    prefetch = {key: bundle(*of[kind]) for key, kind in _KEYS.items() if kind in of}
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": who["id"]},
        "prefetch": {"patient": who, **prefetch},
    }


def through(door: str, case: str, service: Service) -> Json:
    """What a door answers, and what was concluded and stored."""
    if door == "hook":
        answered: Json = {"cards": cards(service.client, hook_request(case))}
    else:
        message = (TWINS / case / "message.hl7").read_bytes()
        answer = service.client.post("/hl7/v2", data=message, content_type="application/hl7-v2")
        answered = {"acknowledgment": _without_control_id(answer.data.decode())}
    found = Database("sqlite", f"sqlite:///{service.database}", service.database.parent)
    [(outcome,)] = found.rows("SELECT outcome FROM predictions ORDER BY id DESC LIMIT 1")
    assert isinstance(outcome, bytes)
    text = json.dumps({**answered, "outcome": json.loads(outcome)}, ensure_ascii=False)
    masked: Json = json.loads(_UUID.sub("an-id", text))
    return masked


def _without_control_id(answer: str) -> list[str]:
    """The segments of an acknowledgment, MSH-10 masked: it is drawn anew."""
    header, *others = answer.rstrip("\r").split("\r")
    fields = header.split(header[3])
    fields[9] = "an-id"
    return [header[3].join(fields), *others]


def write() -> None:
    """All golden files."""
    predictor, tables = load_predictor(REPOSITORY / "models"), load_code_tables(REPOSITORY / "models")
    with tempfile.TemporaryDirectory() as name, patch.object(Runtime, "now", staticmethod(lambda: NOW)):
        empty = Path(name) / "empty.db"
        migrate(f"sqlite:///{empty}")
        for case in CASES:
            for door in DOORS:
                directory = Path(name) / f"{case}-{door}"
                directory.mkdir()
                with started(directory, empty, predictor, tables) as service:
                    found = through(door, case, service)
                text = json.dumps(found, ensure_ascii=False, indent=2)
                (GOLDEN / f"{case}.{door}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
