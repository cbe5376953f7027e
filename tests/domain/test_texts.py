"""Texts in one buffer: they come back as they were, lists of them too, and keys find the rows a dict would."""

from __future__ import annotations

import numpy as np
import pytest

from cds_service.domain.texts import Keys, TextLists, Texts, as_lines

TEXTS = ["Seizure", "", "Ménière disease", "🙂", "two words"]


def test_texts_come_back_as_they_were():
    texts = Texts.of(TEXTS)

    assert list(texts) == TEXTS
    assert [texts[np.uint16(row)] for row in range(len(texts))] == TEXTS


def test_a_row_has_several_texts_or_none():
    rows = [("one",), (), ("one", "two three")]

    assert list(TextLists(Texts.of(map(as_lines, rows)))) == rows


@pytest.mark.parametrize("number", [0, 1, 31, 32, 33, 64, 500])
def test_keys_find_what_a_dict_would_and_nothing_else(number):
    rows = {f"OMIM:{n * 7}": n for n in range(number)}

    keys = Keys.of(rows)

    assert keys == rows
    assert [keys.get(text) for text in ("", "OMIM:", "OMIM:5", "OMIM:99999", "ORPHA:0", "~")] == [None] * 6


def test_lengths_that_are_not_those_of_the_texts_are_refused():
    with pytest.raises(ValueError, match="4 bytes of text where its lengths say 5"):
        Texts(np.frombuffer(b"text", np.uint8), np.array([2, 3], np.uint16))
