"""A script in every text the database holds: each page that is opened afterwards shows letters, whoever looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Column, Connection, LargeBinary, String, delete, literal, literal_column, select, update

from cds_service.access import ACCESS
from cds_service.domain.codes import CodeTables
from cds_service.domain.label import ORPHA
from cds_service.domain.patient import Identity
from cds_service.inference.predictor import Predictor
from cds_service.storage.tables import daily_rollups, metadata, predictions, rollup_days
from tests.conftest import Service, started
from tests.hl7.builders import OBR, PV1, er7, msh, obx
from tests.published import check, judge, models_dir, publish, reseal
from tests.web.pages import FILLED, send, sign_in
from tests.web.test_credentials import add, token

PEOPLE = {"ada": "clinician", "ben": "clinician", "eve": "steward", "root": "admin"}
MARFANOID = "Tall stature\nArachnodactyly\nEctopia lentis"

# Texts the service finds rows by, or that are words of its own lists. Every other text may have come from anybody, and
# that of a column which is added tomorrow too.
CLOSED = {
    "tenant", "environment", "patient_key", "other_key", "key_id", "kind", "role", "source", "status", "mark", "mode",
    "task", "action", "version", "category", "model_version", "manifest_digest", "outcome", "saw_prediction",
    "code_system", "reason_system", "service", "password_hash", "part", "disease", "observed", "excluded",
    "overrides", "quarantine",
}  # fmt: skip
# Bytes: texts that are sealed, under the name of their row, and JSON with texts in it. The others are no texts, or are
# shown on no page.
SEALED = {"identities": "{patient_key}", "labels": "labels:{id}", "feedback": "feedback:{id}"}
WRITTEN = (predictions.c.snapshot, predictions.c.outcome)
UNSHOWN = {
    "audit.prev_hash", "audit.hash", "audit_head.hash", "audit_head.seal", "api_tokens.secret_hash",
    "tokens.request_hash", "feedback.content_hash", "hook_calls.request_hash", "hook_calls.reply",
    "predictions.request_hash", "predictions.reply", "messages.sha256", "messages.accept_reply",
    "messages.application_reply", "messages.sealed", "readings.statement", "readings.birth", "readings.visit",
    "patient_events.visit", "daily_rollups.content", "daily_calls.content",
}  # fmt: skip
# What is seen to be shown somewhere: without it the rest would prove nothing.
SHOWN = {
    "identities.sealed", "labels.sealed", "labels.author", "labels.code", "model_decisions.actor",
    "model_decisions.reason", "predictions.snapshot", "predictions.outcome", "card.md", "gate.check", "gate.reason",
    "gate.trainer",
}  # fmt: skip


def script(where: object) -> str:
    """It ends an attribute of either kind, stands as an element wherever it is not escaped, and says where it was."""
    return f"'\"><script>{where}</script>"


@pytest.fixture(scope="module")
def ward(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[tuple[Service, dict[str, FlaskClient], list[str]]]:
    """A service, PEOPLE at their browsers, and the predictions of patients of whom everything was said."""
    directory = tmp_path_factory.mktemp("scripts")
    version = publish(models := models_dir(directory), "1.1.0")
    (version / "card.md").write_text(script("card.md"), encoding="utf-8")
    said = check(script("gate.check")) | {"reason": script("gate.reason")}
    judge(reseal(version), trainer=script("gate.trainer"), verdict="no", checks=[said])
    settings = {"CDS_CLIENT_AUTH": "required", "CDS_MODELS_DIR": str(models)}
    with started(directory, empty_database, predictor, tables, **settings) as service:
        for name, role in PEOPLE.items():
            add(service, name, role)
        browsers = {name: signed_in(service, name) for name in PEOPLE}
        assert service.runtime.beside.rare.wait(60)
        yield service, browsers, live(service, **browsers)


def signed_in(service: Service, name: str) -> FlaskClient:
    browser = service.client
    sign_in(browser, name)
    return browser


def live(service: Service, ada: FlaskClient, ben: FlaskClient, eve: FlaskClient, root: FlaskClient) -> list[str]:
    """Two visits with symptoms, labels that disagree, a diagnosis confirmed and one not, a report, a message."""
    made = []
    for number in range(2):
        shown = send(ada, "/triage", **FILLED | {"patient_id": f"MRN-{number}", "observed": MARFANOID})
        risk, rare = dict.fromkeys(re.findall(r"/console/predictions/([0-9a-f-]{36})", shown.text))
        made += [risk, rare]
        reason = re.search(r'<option value="([^"]+\|[^"]+)"', ada.get(f"/console/predictions/{risk}").text)
        assert reason is not None
        say(ada, risk, "feedback", reason=reason[1], comment="said")
        say(ada, risk, "labels", category="acute", comment="said")
        say(root, risk, "labels", category="mild")
        say(ada, rare, "labels", diagnosis="marfan", coding=f"{ORPHA}|558")
    label = re.findall(r'name="label" value="([^"]+)"', ben.get(f"/console/predictions/{rare}").text)[0]
    say(ben, rare, "confirmations", label=label)
    sent = er7(msh(), "PID|1||P1^^^HOSP^MR||Ejemplo^Rosa||19541102|F", PV1, OBR, obx())
    bearer = {"Authorization": token(service, "--scopes", "hl7", "--tenant", "north")}
    answer = service.client.post("/hl7/v2", data=sent, content_type="application/hl7-v2", headers=bearer)
    assert b"MSA|AA|" in answer.data
    return made


def say(browser: FlaskClient, prediction: str, what: str, **fields: str) -> None:
    address = f"/console/predictions/{prediction}"
    answer = send(browser, f"{address}/{what}", address, **fields)
    assert answer.status_code == 303, answer.text


def columns_of(kind: type) -> Iterator[Column[Any]]:
    return (one for table in metadata.sorted_tables for one in table.columns if isinstance(one.type, kind))


def fill(connection: Connection, service: Service) -> None:
    """A script into each text, which says where it stands; what days came to is counted again."""
    for column in columns_of(String):
        if column.name not in CLOSED and not column.primary_key:
            apart = literal(script(column)).concat(literal_column("rowid"))  # some must differ from row to row
            connection.execute(update(column.table).values({column: apart}))
    for name, row_name in SEALED.items():
        table = metadata.tables[name]
        for row in connection.execute(select(table).where(table.c.sealed.is_not(None))).mappings().all():
            text = script(f"{name}.sealed")
            plain = msgspec.json.encode(Identity(text, name=text)) if name == "identities" else text.encode()
            sealed = service.runtime.keyring.seal(row_name.format(**row), plain)
            is_row = [key == row[key.name] for key in table.primary_key]
            connection.execute(update(table).where(*is_row).values(sealed=sealed))
    for table in (daily_rollups, rollup_days):
        connection.execute(delete(table))


def fill_json(service: Service, browser: FlaskClient, prediction: str) -> set[str]:
    """A script into each text of what a prediction is stored as, where its page still opens; which were taken.

    What no page opens with is a time, or a name the service itself looks up.
    """
    taken = set()
    row = predictions.c.id == UUID(prediction)
    for column in WRITTEN:
        with service.runtime.engine.connect() as connection:
            document = msgspec.json.decode(connection.execute(select(column).where(row)).scalar_one())
        for path in [*texts(document), ()]:
            changed = with_text(document, path, script(column)) if path else document
            with service.runtime.engine.begin() as connection:
                connection.execute(update(predictions).where(row).values({column: msgspec.json.encode(changed)}))
            if path and browser.get(f"/console/predictions/{prediction}").status_code == 200:
                document = changed
                taken.add(".".join(map(str, (column.name, *path))))
    return taken


def texts(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where texts stand in JSON; of a list of things alike, in the first."""
    if isinstance(document, str):
        yield path
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from texts(value, (*path, name))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            if not place or not isinstance(value, dict | list):
                yield from texts(value, (*path, place))


def with_text(document: Any, path: tuple[str | int, ...], text: str) -> Any:
    """The same JSON with another text there."""
    changed = place = deepcopy(document)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    return changed


def addresses(service: Service, made: list[str]) -> Iterator[str]:
    """Every address that a browser may open, with everything that can stand in it."""
    places = {
        "prediction_id": made,
        "task": ["risk", "state"],
        "version": ["1.0.0", "1.1.0"],
        "part": ["labels"],
    }
    for rule in service.app.url_map.iter_rules():
        is_opened = "GET" in (rule.methods or ()) and ACCESS[rule.endpoint].scope in (None, "page", "patient-page")
        if is_opened and rule.endpoint != "console.static":
            names = sorted(rule.arguments)
            for values in product(*(places[name] for name in names)):
                built = rule.build(dict(zip(names, values, strict=True)))
                assert built is not None
                yield built[1]


def test_every_text_is_filled_or_known_to_be_shown_nowhere() -> None:
    """Bytes that are added tomorrow are looked at by whoever adds them."""
    known = {f"{name}.sealed" for name in SEALED} | {str(column) for column in WRITTEN} | UNSHOWN

    assert {str(column) for column in columns_of(LargeBinary)} == known


def test_a_script_in_any_stored_text_is_letters_on_every_page(
    ward: tuple[Service, dict[str, FlaskClient], list[str]],
) -> None:
    service, browsers, made = ward
    taken = {one for prediction in made[:2] for one in fill_json(service, browsers["root"], prediction)}
    with service.runtime.engine.begin() as connection:
        fill(connection, service)
    service.runtime.beside.counting.count()

    pages = {}
    for address, name in product(addresses(service, made), ("ada", "eve", "root")):
        answer = browsers[name].get(address, headers={"Accept": "text/html", "Accept-Language": "es, en;q=0.5"})
        assert answer.status_code < 500, address
        if answer.mimetype == "text/html":
            pages[address, name] = answer.text

    assert [page for page, text in pages.items() if "<script>" in text] == []
    seen = {one for text in pages.values() for one in re.findall(r"&lt;script&gt;([\w.]+)&lt;/script&gt;", text)}
    assert SHOWN - seen == set()
    assert len(taken) > 40, taken
    assert len(pages) > 40
