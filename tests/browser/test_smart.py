"""One launch in a real browser: from an EHR's record to the prediction its card names, and back out."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.fhir.client import FhirClient
from cds_service.inference.predictor import Predictor
from tests.browser.conftest import Site, Visit, Visitor, serving
from tests.web.calls import PATIENT, card, fixture
from tests.web.ehr import CLIENT_ID, Ehr, an_ehr
from tests.web.tokens import a_token, clients_file


@pytest.fixture(scope="module")
def ehr() -> Iterator[Ehr]:
    with an_ehr(lambda: datetime.now(UTC)) as ehr:
        ehr.patient = PATIENT
        yield ehr


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables, ehr: Ehr
) -> Iterator[Site]:
    """A service that is registered at the EHR as an app."""
    directory = tmp_path_factory.mktemp("launched")
    path = clients_file(directory, more=f"smart = {{ iss = '{ehr.iss}', client_id = '{CLIENT_ID}' }}")
    more = {"CDS_CLIENTS_FILE": str(path), "CDS_ALLOW_HTTP_FHIR": "yes"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CDS_ALLOW_HTTP_FHIR", "yes")
        with serving(directory, empty_database, predictor, tables, **more) as found:
            found.service.runtime.fhir = FhirClient(tls=ssl.create_default_context())
            yield found


def launch(visitor: Visitor, ehr: Ehr) -> None:
    """What the EHR does when the card's link is pressed: a window of its own at the app's launch address."""
    visitor.go(f"/launch?{urlencode({'iss': ehr.iss, 'launch': 'card'})}")
    visitor.wrong[:] = [one for one in visitor.wrong if not one.startswith(f"{ehr.base}/authorize?")]


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_a_card_opens_from_the_record_without_a_second_sign_in(
    visit: Visit, site: Site, ehr: Ehr, javascript: bool
) -> None:
    now = datetime.now(UTC)
    address = f"{site.address}/cds-services/vitals-risk"
    token = a_token(aud=address, iat=int(now.timestamp()), exp=int(now.timestamp()) + 300)
    shown = card(site.service.client, fixture(), Authorization=f"Bearer {token}")
    [link] = [one for one in shown["links"] if one["type"] == "smart"]
    assert link["url"] == f"{site.address}/launch"
    ehr.context, ehr.patient = link["appContext"], PATIENT
    visitor = visit(width=360, javascript=javascript)

    launch(visitor, ehr)

    assert visitor.page.url == f"{site.address}/console/predictions/{shown['uuid']}"
    assert "Practitioner/ana-1" in visitor.page.inner_text("header")
    assert PATIENT in visitor.page.inner_text("main")
    assert visitor.page.locator("nav a[href$='/triage']").count() == 0
    assert not javascript or visitor.barriers() == []
    visitor.page.click("form.who button")
    assert visitor.page.url.startswith(f"{site.address}/login")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_card_of_another_patient_shows_nothing_and_says_so(
    visit: Visit, site: Site, ehr: Ehr, language: str
) -> None:
    now = int(datetime.now(UTC).timestamp())
    token = a_token(aud=f"{site.address}/cds-services/vitals-risk", iat=now, exp=now + 300)
    ehr.context = card(site.service.client, fixture(), Authorization=f"Bearer {token}")["uuid"]
    ehr.patient = "someone-else"
    visitor = visit(language=language)

    launch(visitor, ehr)

    said = visitor.page.inner_text("main")
    assert {"en": "another patient", "es": "otro paciente"}[language] in said
    assert PATIENT not in said
    assert visitor.barriers() == []
