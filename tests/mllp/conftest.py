"""A listener with its defaults, for the tests that need nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mllp.conversing import Listening, Ward, listening


@pytest.fixture
def ward() -> Ward:
    return Ward()


@pytest.fixture
def mllp(tmp_path: Path, ward: Ward) -> Iterator[Listening]:
    with listening(tmp_path, ward) as found:
        yield found
