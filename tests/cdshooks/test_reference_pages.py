"""The reference pages say what the code does."""

from __future__ import annotations

from pathlib import Path

from cds_service.cdshooks.catalogue import SERVICES
from cds_service.cdshooks.hooks import HOOKS
from cds_service.cdshooks.override_reasons import REASONS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_service_hook_and_template_is_on_the_page() -> None:
    page = (REFERENCE / "cds-hooks.md").read_text(encoding="utf-8")

    named = {*SERVICES, *HOOKS, *(field.name for table in HOOKS.values() for field in table)}
    templates = {
        text
        for service in SERVICES.values()
        for by_key in service.prefetch.values()
        for item in by_key.items()
        for text in item
    }
    assert [name for name in sorted(named | templates) if name not in page] == []


def test_every_override_reason_is_on_the_page() -> None:
    page = (REFERENCE / "cards.md").read_text(encoding="utf-8")

    missing = [(system, code) for system, code, *_ in REASONS if f"`{code}`" not in page or f"`{system}`" not in page]

    assert missing == []
