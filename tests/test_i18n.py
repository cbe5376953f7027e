from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from cds_service.i18n import LOCALE_DIR, negotiate, translator

CODE = LOCALE_DIR.parent
SPANISH = LOCALE_DIR / "es" / "LC_MESSAGES"


def messages_in_templates() -> set[str]:
    """Constant first arguments of `t(...)` in the pages."""
    calls = (
        call
        for path in CODE.rglob("*.html")
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call)
    )
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and isinstance(call.args[0], nodes.Const)
    }


def messages_in_code() -> set[str]:
    """Constant first arguments of `t(...)`, `words.t(...)` and `msgid(...)`."""
    found = messages_in_templates()
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if name in ("t", "msgid") and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


@pytest.fixture(scope="module")
def po() -> Catalog:
    with (SPANISH / "cds.po").open("rb") as file:
        return read_po(file, locale="es")


def test_every_message_is_translated_and_none_is_left_over(po: Catalog) -> None:
    translated = {message.id for message in po if message.id and message.string and not message.fuzzy}

    assert translated == messages_in_code()


# Names that are the same in every language.
NAMES = {"CDS", "NEWS2", "HPO", "OMIM", "Orphanet", "rare", "Enter"}


@pytest.mark.parametrize("path", sorted(CODE.rglob("*.html")), ids=lambda path: path.name)
def test_a_template_has_no_words_outside_the_catalogue(path: Path) -> None:
    written = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    spoken = re.findall(r' (?:aria-label|title|alt|placeholder)="([^"]*)"', written)
    read = re.sub(r"<[^>]*>", " ", re.sub(r" [\w-]+=(?:'[^']*'|\"[^\"]*\")", " ", written))

    assert set(re.findall(r"\w*[^\W\d_]{3,}\w*", " ".join([read, *spoken]))) <= NAMES


def test_compiled_catalogue_is_the_written_one(po: Catalog) -> None:
    with (SPANISH / "cds.mo").open("rb") as file:
        compiled = read_mo(file)

    assert {m.id: m.string for m in compiled if m.id} == {m.id: m.string for m in po if m.id}


def test_translations_keep_their_placeholders(po: Catalog) -> None:
    placeholder = re.compile(r"%\([a-z]+\)[sd]")

    differing = [m.id for m in po if sorted(placeholder.findall(m.id)) != sorted(placeholder.findall(str(m.string)))]

    assert [message for message in differing if message] == []


def test_translator_works_without_a_request() -> None:
    assert translator("es")("temperature") == "temperatura"
    assert translator("en")("temperature") == "temperature"
    assert translator("es")("never a message of ours") == "never a message of ours"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("es", "es"),
        ("es-CO,es;q=0.9,en;q=0.8", "es"),
        ("en;q=0.5, ES-mx;q=0.7", "es"),
        ("fr, de;q=0.9", "en"),
        ("*", "en"),
        ("es;q=0", "en"),
        ("es;q=nonsense, en;q=0.1", "en"),
        ("es;q=7", "en"),
        ("es;q=nan", "en"),
        ("en, es", "en"),
        (";;;,,,=", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_best_language_of_the_header_is_chosen(header: str | None, language: str) -> None:
    assert negotiate(header) == language


def test_catalogue_files_are_in_the_package() -> None:
    assert Path(SPANISH / "cds.mo").is_file()
