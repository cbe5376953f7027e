"""The language of a client's cards."""

from pathlib import Path

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Clock, started
from tests.web.calls import card, fixture


def test_a_clients_language_comes_before_what_the_request_asks_for(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> None:
    file = tmp_path / "clients.toml"
    file.write_text("[client.local]\nlanguage = 'es'\n")

    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENTS_FILE=str(file)) as service:
        shown = card(service.client, fixture(), Accept_Language="en")

    assert "**Estado:**" in shown["detail"]
