"""Test data stay among themselves: nothing of production is shown to who brings them, and the reverse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cds_service.domain.actor import Actor
from cds_service.monitoring.metrics import REGISTRY
from tests.conftest import Service
from tests.web.calls import card, fixture


def acting(service: Service, actor: Actor) -> None:
    clients = replace(service.runtime.settings.clients, local=actor)
    service.runtime.settings = replace(service.runtime.settings, clients=clients)


@pytest.mark.parametrize("path", ["/predictions/{}", "/predictions/{}/explain", "/fhir/RiskAssessment/{}"])
@pytest.mark.parametrize(("made_in", "read_in"), [("production", "test"), ("test", "production")])
def test_a_prediction_is_not_there_for_the_other_environment(
    service: Service, path: str, made_in: str, read_in: str
) -> None:
    actor = Actor(name="ehr", kind="client", role="client", tenant="north", environment=made_in)
    acting(service, actor)
    prediction_id = card(service.client, fixture())["uuid"]
    theirs = service.client.get(path.format(prediction_id)).status_code

    acting(service, replace(actor, environment=read_in))

    assert (theirs, service.client.get(path.format(prediction_id)).status_code) == (200, 404)


@pytest.mark.parametrize(("tenant", "counted"), [("north", "production"), ("synthetic-hospital", "synthetic")])
def test_predictions_are_counted_apart_and_repeats_not_at_all(service: Service, tenant: str, counted: str) -> None:
    def counts() -> dict[str, float]:
        samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
        found = {"production": 0.0, "test": 0.0, "synthetic": 0.0}
        for sample in samples:
            if sample.name == "cds_predictions_total":
                found[sample.labels["environment"]] += sample.value
        return found

    before, body = counts(), fixture()
    acting(service, Actor(name="ehr", kind="client", role="client", tenant=tenant, environment="production"))
    for _ in range(2):
        card(service.client, body)

    after = counts()

    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {counted: 1}
