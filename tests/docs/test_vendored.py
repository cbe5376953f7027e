from __future__ import annotations

import re
from hashlib import sha256

from tests.conftest import REPOSITORY

ROW = re.compile(r"^\| `([^`]+)` \| .+ \| `([0-9a-f]{64})` \|$", re.M)
PAGE = (REPOSITORY / "docs" / "reference" / "vendored.md").read_text(encoding="utf-8")
VENDORED = dict(ROW.findall(PAGE))


def test_the_page_lists_every_file_others_wrote() -> None:
    found = {
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("cds_service/web/static/vendor", "tests/browser/vendor")
        for path in (REPOSITORY / folder).rglob("*.*")
        if path.suffix in (".js", ".css")
    }
    assert found == set(VENDORED)


def test_they_are_as_their_packages_ship_them_with_a_licence_beside() -> None:
    for name, digest in VENDORED.items():
        file = REPOSITORY / name
        assert sha256(file.read_bytes()).hexdigest() == digest, name
        assert (file.parent / "LICENSE").read_text(encoding="utf-8")
