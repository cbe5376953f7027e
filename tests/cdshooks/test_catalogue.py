from __future__ import annotations

import re
from typing import Any

import pytest

from cds_service.cdshooks.catalogue import SERVICES, discovery
from cds_service.cdshooks.hooks import HOOKS

TEMPLATES = [
    (service.id, hook, key, template)
    for service in SERVICES.values()
    for hook, templates in service.prefetch.items()
    for key, template in templates.items()
]
IDS = [f"{hook}-{key}" for _, hook, key, _ in TEMPLATES]

READ = re.compile(r"[A-Z][A-Za-z]+/\{\{context\.[a-zA-Z]+\}\}")
# One value a parameter (no comma), no modifier, no include, no chain.
PARAMETER = re.compile(
    r"(patient=\{\{context\.patientId\}\}|(category|status)=[a-z-]+|_sort=-?date|_count=[1-9][0-9]*)"
)


@pytest.mark.parametrize(("service", "hook", "key", "template"), TEMPLATES, ids=IDS)
def test_template_stays_in_the_recommended_subset(service: str, hook: str, key: str, template: str) -> None:
    if READ.fullmatch(template):
        return
    _, _, query = template.partition("?")

    assert all(PARAMETER.fullmatch(parameter) for parameter in query.split("&"))


@pytest.mark.parametrize(("service", "hook", "key", "template"), TEMPLATES, ids=IDS)
def test_template_uses_required_prefetch_tokens_of_its_hook(service: str, hook: str, key: str, template: str) -> None:
    usable = {f"context.{field.name}" for field in HOOKS[hook] if field.token and field.required}

    assert set(re.findall(r"\{\{(.*?)\}\}", template)) <= usable


@pytest.mark.parametrize("language", ["en", "es"])
def test_discovery_has_each_service_once_a_hook(language: str) -> None:
    services = discovery(language)["services"]

    pairs = [(entry["id"], entry["hook"]) for entry in services]
    assert pairs == [
        *(("vitals-risk", hook) for hook in ("patient-view", "encounter-start", "encounter-discharge")),
        ("rare-disease", "patient-view"),
        ("diagnosis-label", "problem-list-item-create"),
    ]
    assert [entry["hookVersion"] for entry in services] == ["1.0", "1.0", "1.0", "1.0", "0.1.0"]
    assert all(entry["version"] == "2.0.1" for entry in services)


def empties(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    return [item for item in inner if item in (None, "", [], {})] + [x for item in inner for x in empties(item)]


@pytest.mark.parametrize("language", ["en", "es"])
def test_discovery_has_no_empty_member(language: str) -> None:
    assert empties(discovery(language)) == []


def test_discovery_speaks_both_languages() -> None:
    assert discovery("es")["services"][0]["title"] == "Constantes vitales: NEWS2 y riesgo de ingreso en UCI"
    assert discovery("en")["services"][0]["title"] == "Vital signs: NEWS2 and risk of ICU admission"


def test_every_required_key_is_asked_for() -> None:
    for service in SERVICES.values():
        for templates in service.prefetch.values():
            assert service.required <= set(templates)
