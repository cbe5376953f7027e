"""The page of addresses, the access table and the application say the same."""

from pathlib import Path

from flask import Flask

from cds_service.access import ACCESS
from cds_service.app import BLUEPRINTS
from cds_service.domain.actor import ROLES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "addresses.md"


def _served() -> dict[tuple[str, str], str]:
    """The endpoint of every address and method."""
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return {
        (rule.rule, method): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
    }


def _listed() -> dict[tuple[str, str], tuple[str, str]]:
    """Who may call, with which scope, by address and method."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `/")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {(row[0].strip("` "), method): (row[2], row[3]) for row in cells for method in row[1].split(", ")}


def test_every_address_is_on_the_page_with_its_methods() -> None:
    assert set(_served()) == set(_listed())


def test_every_address_has_its_row_in_the_access_table() -> None:
    assert set(_served().values()) == {name for name in ACCESS if not name.startswith("cds ")}


def test_the_page_says_who_may_call() -> None:
    listed = _listed()

    for address, endpoint in _served().items():
        row = ACCESS[endpoint]
        said = "anyone" if row.is_open else ", ".join(role for role in ROLES if role in row.roles)
        assert listed[address] == (said, f"`{row.scope}`" if row.scope else ""), address
