from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.domain.policy import FeedLimits
from cds_service.errors import ConfigurationError
from cds_service.settings import Site
from tests.settings.test_hl7 import site

TEXT = """
[feeds]
silent_min = 30
[feeds.senders."MONITOR|ED"]
silent_min = 10
[feeds.senders."LAB|HOSP"]
unmapped_share = 1
"""


def test_what_a_sender_is_not_given_is_that_of_all(tmp_path: Path) -> None:
    feeds = site(tmp_path, TEXT).feeds

    assert feeds.of("MONITOR|ED") == FeedLimits(silent=timedelta(minutes=10))
    assert feeds.of("LAB|HOSP") == FeedLimits(silent=timedelta(minutes=30), unmapped_share=1.0)
    assert feeds.of("ANY|WHERE") == FeedLimits(silent=timedelta(minutes=30))


def test_limits_are_in_the_hash_of_the_site(tmp_path: Path) -> None:
    assert site(tmp_path, TEXT).hash != Site().hash


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("silent_min = -1", "feeds.silent_min: must be a whole number of minutes from 0", id="negative"),
        pytest.param("clock_skew_min = 0", "feeds.clock_skew_min: must be a whole number of minutes from 1", id="none"),
        pytest.param("unmapped_share = 1.5", "feeds.unmapped_share: must be a number over 0", id="over-1"),
        pytest.param("[feeds.senders.MONITOR]\nsilent_min = 1", "MSH-3 and MSH-4", id="sender-without-facility"),
        pytest.param('[feeds.senders."A|B"]\nsenders = 1', "feeds.senders.A|B.senders: unknown", id="unknown-key"),
    ],
)
def test_what_will_not_do_is_refused_by_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match="feeds") as refused:
        site(tmp_path, f"[feeds]\n{text}")

    assert sentence in str(refused.value)
