"""Messages of other projects and vendors, each by its name: what is read of them was reviewed by hand."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from cds_service.domain.policy import ReadingPolicy
from cds_service.errors import InvalidMessage
from cds_service.hl7.reader import read_message, snapshot_from_message
from tests.fhir.builders import TABLES
from tests.hl7.builders import AT

SHARED = Path(__file__).parents[3] / "shared" / "data" / "hl7v2"
NAMES = tuple(sorted(path.name for path in SHARED.glob("*.hl7")))
EXPECTED = json.loads((SHARED / "expected.json").read_text()) if NAMES else {}

# Old messages are read as of today: what is tested is what they say, not that it is years ago.
YEARS = timedelta(days=100 * 366)
PATIENT = ReadingPolicy(max_age=MappingProxyType({}), default_max_age=YEARS, slow_max_age=MappingProxyType({}))

# Orders, prescriptions, accounts and immunisations carry no observations of now; acknowledgments are not answered.
REFUSED = {
    "m07_oml_trap_OML_O21_OML_O21_2.6.hl7": (200, True),
    "m09_rde_trap_RDE_O25_RDE_O25_2.8.hl7": (200, True),
    "m12_bar_trap_BAR_P12_BAR_P12_2.8.hl7": (200, True),
    "m13_vxu_VXU_V04_VXU_V04_2.8.hl7": (200, True),
    "m_DFT-P03-01_DFT_P03_DFT_P03_2.8.hl7": (200, True),
    "m_IZ_1_1.1_VXU_V04_VXU_V04_2.5.1.hl7": (200, True),
    "v02_1_ORM_O01_ORM_O01_2.3.1.hl7": (200, True),
    "v02_2_OML_O21_OML_O21_2.5.1.hl7": (200, True),
    "y01_cosyte_2_x_x.hl7": (200, False),
    "y01_cosyte_3_x_x.hl7": (200, False),
}

pytestmark = pytest.mark.skipif(not NAMES, reason="the shared messages are not on this machine")


@pytest.mark.parametrize("name", NAMES or ("none",))
def test_message_gives_its_vital_signs_or_is_refused(name: str) -> None:
    raw = (SHARED / name).read_bytes()
    if name in REFUSED:
        with pytest.raises(InvalidMessage) as refused:
            read_message(raw)
        assert (refused.value.code, refused.value.is_answered) == REFUSED[name]
        return

    message = read_message(raw)

    found = {}
    for number in range(len(message.patients)):
        snapshot = snapshot_from_message(message, number, at=AT, policy=PATIENT, tables=TABLES)
        found |= {reading.name: reading.value for reading in snapshot.readings.values()}
    assert found == EXPECTED.get(name, {}).get("vitals", {})
    assert message.account.total == sum(bool(line.strip()) for line in raw.replace(b"\n", b"\r").split(b"\r"))


def test_the_only_refused_are_those_named() -> None:
    assert set(REFUSED) <= set(NAMES)
