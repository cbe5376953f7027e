"""The page of addresses, the access table and the application say the same."""

from pathlib import Path

from flask import Flask

from cds_service.app import BLUEPRINTS
from cds_service.domain.actor import ROLES
from cds_service.web.access import ACCESS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "addresses.md"


def _rules() -> dict[str, tuple[str, set[str], str]]:
    """Address, methods and endpoint of every route."""
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return {
        rule.endpoint: (rule.rule, set(rule.methods or ()) - {"HEAD", "OPTIONS"}, rule.endpoint)
        for rule in app.url_map.iter_rules()
    }


def _listed() -> dict[str, tuple[set[str], str, str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `/")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): (set(row[1].split(", ")), row[2], row[3]) for row in cells}


def test_every_address_is_on_the_page_with_its_methods() -> None:
    assert {rule: methods for rule, methods, _ in _rules().values()} == {
        rule: methods for rule, (methods, *_) in _listed().items()
    }


def test_every_address_has_its_row_in_the_access_table() -> None:
    assert set(_rules()) == set(ACCESS)


def test_the_page_says_who_may_call() -> None:
    listed = _listed()

    for rule, _, endpoint in _rules().values():
        row = ACCESS[endpoint]
        said = "anyone" if row.is_open else ", ".join(role for role in ROLES if role in row.roles)
        assert listed[rule][1:] == (said, f"`{row.scope}`" if row.scope else ""), rule
