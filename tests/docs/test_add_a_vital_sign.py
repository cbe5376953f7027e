"""The list of files to touch for a vital sign is true: each exists and already holds what the others needed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "add-a-vital-sign.md").read_text(encoding="utf-8")
FILES = re.findall(r"^\| `([\w/.-]+)` \|", PAGE, flags=re.M)


@pytest.mark.parametrize("name", FILES)
def test_a_file_to_touch_is_where_vital_signs_are_written(name):
    text = (ROOT / name).read_text(encoding="utf-8")

    assert re.search("temperature|FEATURES|_VITALS", text)


def test_the_list_is_read():
    assert len(FILES) >= 14
