from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.markdown import _tidied, plain, quoted

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/a.png)",
    "https://evil.example",
    "www.evil.example",
    "evil.example",
    "a@evil.example",
    "`code` **bold** _it_ ~~no~~",
    "``` fence",
    "line\n\n# heading\n- list",
    "\u202egnp.exe",
    "zero\u200bwidth\u0000null\x1b[31m",
    "&lt;b&gt; &#60;",
    "\\`\\",
    "| a | b |",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_in_one_code_span(text: str) -> None:
    shown = quoted(text)

    assert re.fullmatch(r"`[^`<>&\n\r]+`", shown)


@pytest.mark.parametrize(
    "text", ["Observation/77", "HL7, ED-4 monitor", "98.6 Cel", "E11.9", "0/min", "37,5 %", "Constantes de urgencias ñ"]
)
def test_plain_words_pass_as_they_are(text: str) -> None:
    assert quoted(text) == text


def test_units_with_brackets_stay_readable() -> None:
    assert quoted("132 mm[Hg]") == "`132 mm[Hg]`"


@given(st.text(max_size=300), st.integers(5, 60))
def test_any_text_is_short_visible_and_on_one_line(text: str, limit: int) -> None:
    for shown in (quoted(text, limit).strip("`"), plain(text, limit)):
        assert len(shown) <= limit
        assert not set(shown) & set("`<>&\n\r")
        assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in shown)


@given(st.text(alphabet="w.:/@htps<>[]()`*_a1 ", max_size=40))
def test_outside_a_code_span_nothing_links_or_marks_up(text: str) -> None:
    shown = quoted(text)

    if not shown.startswith("`"):
        assert not re.search(r"[<>\[\]()`*_@:\\&#|~!]|(?<![0-9])\.|\.(?![0-9])", shown)


# What passes outside a code span, said as a whole rather than by its first fault.
_HARMLESS = re.compile(r"(?:[0-9A-Za-zÀ-ÖØ-öø-ÿ°%/,+ -]|(?<=[0-9])\.(?=[0-9]))*")


@given(st.text(st.sampled_from("a1.. -é°(`<&>\t\n\u200b×"), max_size=12), st.integers(5, 20))
def test_what_needs_no_change_is_told_apart_at_a_glance(text: str, limit: int) -> None:
    cleaned = _tidied(text, limit)

    assert plain(text, limit) == cleaned
    if len(text) <= limit and _HARMLESS.fullmatch(text):
        assert quoted(text, limit) == text
    else:
        assert quoted(text, limit) == (f"`{cleaned}`" if cleaned else "")


def test_a_megabyte_is_cut_at_once() -> None:
    assert len(quoted("a\u200b" * 1_000_000)) <= 62
