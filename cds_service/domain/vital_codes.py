"""The codes of vital signs and of their values: LOINC, SNOMED CT and ISO/IEEE 11073, each with how far it was verified.

`seen`: code and meaning met together in published profiles, examples or device messages (docs/reference/vital-signs.md
names them). `form`: well-formed, its check digit tested; the meaning is to be confirmed in a licensed release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class VitalCode:
    """One code that names a vital sign."""

    system: str
    code: str
    name: str
    verified: str


def _codes(system: str, verified: str, table: Mapping[str, str]) -> tuple[VitalCode, ...]:
    return tuple(VitalCode(system, code, name, verified) for name, codes in table.items() for code in codes.split())


CODES: tuple[VitalCode, ...] = (
    *_codes(
        LOINC,
        "seen",
        {
            "heart_rate": "8867-4",
            "respiratory_rate": "9279-1",
            "temperature": "8310-5 8331-1",
            "systolic_bp": "8480-6",
            "diastolic_bp": "8462-4",
            "spo2": "59408-5 2708-6",
            "oxygen_flow": "3151-8",
            "oxygen_concentration": "3150-0",
            "consciousness": "80288-4 67775-7",
            "gcs_total": "9269-2",
            "weight": "29463-7 3141-9",
            "height": "8302-2 8306-3 3137-7",
            "bmi": "39156-5",
            "blood_group": "882-1",
        },
    ),
    *_codes(
        LOINC,
        "form",
        {
            "heart_rate": "76282-3",
            "pulse_rate": "8889-8 8893-0",
            "temperature": "8332-9 8328-7 8333-7 8329-5 76011-6",
            "systolic_bp": "8459-0",
            "diastolic_bp": "8453-3",
            "consciousness": "80339-5",
            "pain": "72514-3 38208-5",
        },
    ),
    *_codes(
        SNOMED,
        "seen",
        {
            "heart_rate": "364075005",
            "pulse_rate": "78564009",
            "respiratory_rate": "86290005",
            "temperature": "386725007 276885007",
            "systolic_bp": "271649006",
            "diastolic_bp": "271650006",
            "spo2": "103228002",
            "consciousness": "1104441000000107",
            "gcs_total": "248241002",
            "pain": "225908003",
            "weight": "27113001",
            "height": "50373000",
            "on_oxygen": "371825009 722742002",
        },
    ),
    *_codes(SNOMED, "form", {"spo2": "431314004", "oxygen_flow": "250774007", "bmi": "60621009"}),
    *_codes(
        MDC,
        "seen",
        {
            "heart_rate": "147842",
            "pulse_rate": "149530 149546",
            "respiratory_rate": "151562 151578 151658",
            "temperature": "150344",
            "systolic_bp": "150021 150301 150033 150037",
            "diastolic_bp": "150022 150302 150034 150038",
            "spo2": "150456",
            "oxygen_concentration": "152196 153144",
            "gcs_total": "153728",
            "weight": "188736",
            "height": "188740",
        },
    ),
    # Met in messages, but labelled as another site's pressure; the meaning is recalled.
    *_codes(MDC, "form", {"systolic_bp": "150017", "diastolic_bp": "150018"}),
)

VITAL_CODES: Mapping[Key, str] = MappingProxyType({(row.system, row.code): row.name for row in CODES})

# The reference identifiers device codes are sent with: another one beside a code means that one of them is wrong (real
# feeds label 150021, a cuff pressure, as an arterial one). Codes whose identifier was not seen are not here.
REFERENCE_IDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "147842": frozenset({"MDC_ECG_HEART_RATE", "MDC_ECG_CARD_BEAT_RATE"}),
        "149530": frozenset({"MDC_PULS_OXIM_PULS_RATE"}),
        "149546": frozenset({"MDC_PULS_RATE_NON_INV"}),
        "150017": frozenset({"MDC_PRESS_BLD_SYS"}),
        "150018": frozenset({"MDC_PRESS_BLD_DIA"}),
        "150021": frozenset({"MDC_PRESS_BLD_NONINV_SYS"}),
        "150022": frozenset({"MDC_PRESS_BLD_NONINV_DIA"}),
        "150033": frozenset({"MDC_PRESS_BLD_ART_SYS"}),
        "150034": frozenset({"MDC_PRESS_BLD_ART_DIA"}),
        "150037": frozenset({"MDC_PRESS_BLD_ART_ABP_SYS"}),
        "150038": frozenset({"MDC_PRESS_BLD_ART_ABP_DIA"}),
        "150301": frozenset({"MDC_PRESS_CUFF_SYS"}),
        "150302": frozenset({"MDC_PRESS_CUFF_DIA"}),
        "150344": frozenset({"MDC_TEMP"}),
        "150456": frozenset({"MDC_PULS_OXIM_SAT_O2"}),
        "151562": frozenset({"MDC_RESP_RATE"}),
        "151578": frozenset({"MDC_TTHOR_RESP_RATE"}),
        "152196": frozenset({"MDC_CONC_AWAY_O2_INSP"}),
        "153144": frozenset({"MDC_CONC_GASDLV_O2_INSP"}),
        "153728": frozenset({"MDC_SCORE_GLAS_COMA"}),
        "188736": frozenset({"MDC_MASS_BODY_ACTUAL"}),
        "188740": frozenset({"MDC_LEN_BODY_ACTUAL"}),
    }
)

# What a coded value means. LOINC answers that do not say whether confusion is new (LA6560-2) are not here.
CODED_VALUES: Mapping[Key, tuple[str, str | bool]] = MappingProxyType(
    {
        (LOINC, "LA9340-6"): ("consciousness", "A"),
        (LOINC, "LA17108-4"): ("consciousness", "V"),
        (LOINC, "LA17107-6"): ("consciousness", "P"),
        (LOINC, "LA9343-0"): ("consciousness", "U"),
        (SNOMED, "248234008"): ("consciousness", "A"),
        (SNOMED, "130987000"): ("consciousness", "C"),
        (SNOMED, "300202002"): ("consciousness", "V"),
        (SNOMED, "450847001"): ("consciousness", "P"),
        (SNOMED, "422768004"): ("consciousness", "U"),
        (SNOMED, "112144000"): ("blood_group", "A"),  # without + or -: the rhesus factor was not said
        # From here on only the check digit was tested.
        (SNOMED, "112149005"): ("blood_group", "B"),
        (SNOMED, "165743006"): ("blood_group", "AB"),
        (SNOMED, "58460004"): ("blood_group", "O"),
        (SNOMED, "278149003"): ("blood_group", "A+"),
    }
)

# Observations that say something by their code alone (UK NEWS2 profiles).
CODE_ONLY: Mapping[Key, tuple[str, str | bool]] = MappingProxyType(
    {
        (SNOMED, "371825009"): ("on_oxygen", True),
        (SNOMED, "722742002"): ("on_oxygen", False),
    }
)
