from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from cds_service.hl7.site import STANDARD
from cds_service.settings import Site
from cds_service.settings.site import site_from_file

TEXT = """
zone = "Europe/Madrid"
[hl7]
default_version = "2.3"
[hl7.codes]
"101^99MON" = "heart_rate"
[hl7.units]
"bt/min" = "/min"
[hl7.missing_units]
temperature = "Cel"
[hl7.authorities]
HOSP = "https://hospital.example/mrn"
[hl7.senders."MONITOR|ED"]
zone = "America/Bogota"
authority = "HOSP"
unverified_is_final = true
"""


def site(tmp_path: Path, text: str) -> Site:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return site_from_file(path)


def test_the_site_file_tells_of_senders(tmp_path: Path) -> None:
    made = site(tmp_path, TEXT).hl7

    assert (made.zone.key, made.default_version) == ("Europe/Madrid", "2.3")
    assert (dict(made.codes), dict(made.units)) == ({"101^99MON": "heart_rate"}, {"bt/min": "/min"})
    assert dict(made.missing_units) == {"temperature": "Cel"}
    sender = made.sender("MONITOR|ED")
    assert (sender.zone and sender.zone.key, sender.authority) == ("America/Bogota", "HOSP")
    assert sender.unverified_is_final
    assert not made.sender("OTHER|ED").unverified_is_final


def test_without_a_file_standard_codes_and_units_are_read() -> None:
    assert Site().hl7 is STANDARD


def test_what_the_site_tells_of_senders_is_in_its_hash(tmp_path: Path) -> None:
    plain = site(tmp_path, 'zone = "Europe/Madrid"')
    mapped = site(tmp_path, TEXT)

    assert plain.hash != mapped.hash
    assert plain.hl7.zone.key == "Europe/Madrid"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param('[hl7.codes]\n"1^X" = "pulse"', "hl7.codes.1^X: must be one of heart_rate", id="no vital sign"),
        pytest.param('[hl7.codes]\n"1^X" = 3', "hl7.codes.1^X: must be one of", id="code to a number"),
        pytest.param('[hl7]\ncodes = "heart_rate"', "hl7.codes: must be a table", id="codes not a table"),
        pytest.param('[hl7.units]\nbt = "furlong"', "hl7.units.bt: must be a unit", id="no unit"),
        pytest.param('[hl7.missing_units]\nspo2 = "kg"', "kg is no unit of spo2", id="unit of something else"),
        pytest.param('[hl7.missing_units]\npulse = "/min"', "hl7.missing_units.pulse", id="unit of nothing"),
        pytest.param('[hl7]\ndefault_version = "3.0"', "hl7.default_version: must be one of 2.1", id="version"),
        pytest.param('[hl7.senders.MONITOR]\nzone = "UTC"', "MSH-3 and MSH-4", id="sender without facility"),
        pytest.param('[hl7.senders."A|B"]\nzone = "Nowhere"', "must be a zone such as", id="no zone"),
        pytest.param('[hl7.senders."A|B"]\nunverified_is_final = 1', "must be true or false", id="no flag"),
        pytest.param('[hl7.senders."A|B"]\nid = "x"', "unknown; known are authority", id="unknown key"),
    ],
)
def test_what_will_not_do_is_refused_by_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match="hl7") as refused:
        site(tmp_path, text)

    assert sentence in str(refused.value)
