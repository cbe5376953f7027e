from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from cds_service.monitoring import metrics
from cds_service.settings.clients import Clients
from cds_service.web import health
from cds_service.web.context import begin_request

CLIENTS = Clients()
SETTINGS = SimpleNamespace(client_auth="off", clients=CLIENTS)


def client_of(problems: dict[str, str]) -> FlaskClient:
    app = Flask("health", static_folder=None)
    models = SimpleNamespace(
        versions=lambda: {"risk": "1.1.0", "state": None},
        refused=lambda: {"risk": "1.2.0"},
        made_up=lambda: {"risk": "1.1.0"},
    )
    app.extensions["cds"] = SimpleNamespace(
        problems=lambda: problems, settings=SETTINGS, clients=CLIENTS, models=models
    )
    app.register_blueprint(health.blueprint)

    @app.before_request
    def begin() -> None:
        begin_request()

    return app.test_client()


def sample(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_ready_when_nothing_is_in_the_way() -> None:
    response = client_of({}).get("/readyz")

    assert (response.status_code, response.get_json()["status"]) == (200, "ready")


@pytest.mark.parametrize("problems", [{}, {"database": "unavailable"}])
def test_ready_or_not_the_versions_that_answer_are_named_and_those_refused(problems: dict[str, str]) -> None:
    answered = client_of(problems).get("/readyz").get_json()

    assert answered["models"] == {"risk": "1.1.0", "state": None}
    assert answered["refused"] == {"risk": "1.2.0"}
    assert answered["withheld_from_real_patients"] == {"risk": "1.1.0"}


def test_not_ready_is_503_naming_each_part() -> None:
    response = client_of({"database": "unavailable"}).get("/readyz")

    assert response.status_code == 503
    assert response.get_json()["problems"] == {"database": "unavailable"}
    assert response.headers["Retry-After"] == "2"


def test_alive_whatever_is_away() -> None:
    assert client_of({"database": "unavailable"}).get("/livez").status_code == 200


def test_requests_are_counted_by_route_and_status() -> None:
    before = sample("cds_http_requests_total", route="/r/<id>", status="200")

    metrics.count_request("/r/<id>", 200, 0.004)

    assert sample("cds_http_requests_total", route="/r/<id>", status="200") == before + 1
    assert sample("cds_http_request_seconds_bucket", route="/r/<id>", le="0.005") >= 1
    assert sample("cds_http_request_seconds_bucket", route="/r/<id>", le="0.0025") == 0


def test_the_writer_is_asked_when_it_is_scraped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics._writer_collector, "writer", None)
    metrics.observe_writer(lambda: SimpleNamespace(waiting=lambda: 3, restarts=1))

    text = client_of({}).get("/metrics").get_data(as_text=True)

    names = {family.name: family for family in text_string_to_metric_families(text)}
    assert names["cds_writer_queue_length"].samples[0].value == 3
    assert names["cds_writer_restarts"].samples[0].value == 1
