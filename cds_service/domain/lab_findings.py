"""Laboratory results as HPO findings: our own small table from LOINC to what a low or a high result is called.

LOINC codes and short names are as recalled, NOT verified against a release; their check digits are tested. The HPO
terms are those of release 2025-01-16, tested to exist. A code that is not here is reported as not mapped.
Chosen by us: common blood and urine tests with one quantity, for which HPO has a term of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Laboratory(NamedTuple):
    """One test: its name here, and the finding of a result below and above the reference range, empty for none."""

    name: str
    low: str
    high: str


LABORATORY: Mapping[str, Laboratory] = MappingProxyType(
    {
        "2951-2": Laboratory("sodium", "HP:0002902", "HP:0003228"),
        "2823-3": Laboratory("potassium", "HP:0002900", "HP:0002153"),
        "17861-6": Laboratory("calcium", "HP:0002901", "HP:0003072"),
        "2777-1": Laboratory("phosphate", "HP:0002148", "HP:0002905"),
        "19123-9": Laboratory("magnesium", "HP:0002917", "HP:0002918"),
        "2345-7": Laboratory("glucose", "HP:0001943", "HP:0003074"),
        "4548-4": Laboratory("hemoglobin A1c", "", "HP:0040217"),
        "2160-0": Laboratory("creatinine", "", "HP:0003259"),
        "3094-0": Laboratory("urea nitrogen", "", "HP:0003138"),
        "3084-1": Laboratory("urate", "HP:0003537", "HP:0002149"),
        "1742-6": Laboratory("ALT", "", "HP:0031964"),
        "1920-8": Laboratory("AST", "", "HP:0031956"),
        "6768-6": Laboratory("ALP", "HP:0003282", "HP:0003155"),
        "2324-2": Laboratory("GGT", "", "HP:0030948"),
        "1975-2": Laboratory("bilirubin total", "", "HP:0002904"),
        "1968-7": Laboratory("bilirubin direct", "", "HP:0002908"),
        "1751-7": Laboratory("albumin", "HP:0003073", ""),
        "2157-6": Laboratory("CK", "", "HP:0003236"),
        "2532-0": Laboratory("LDH", "", "HP:0025435"),
        "2524-7": Laboratory("lactate", "", "HP:0002151"),
        "16362-6": Laboratory("ammonia", "", "HP:0001987"),
        "2093-3": Laboratory("cholesterol", "HP:0003146", "HP:0003124"),
        "2571-8": Laboratory("triglyceride", "", "HP:0002155"),
        "2085-9": Laboratory("HDL", "HP:0003233", "HP:0012184"),
        "2089-1": Laboratory("LDL", "HP:0003563", "HP:0003141"),
        "13457-7": Laboratory("LDL calc", "HP:0003563", "HP:0003141"),
        "718-7": Laboratory("hemoglobin", "HP:0001903", "HP:0001900"),
        "4544-3": Laboratory("hematocrit", "HP:0031851", "HP:0001899"),
        "787-2": Laboratory("MCV", "HP:0025066", "HP:0005518"),
        "777-3": Laboratory("platelets", "HP:0001873", "HP:0001894"),
        "6690-2": Laboratory("leukocytes", "HP:0001882", "HP:0001974"),
        "26464-8": Laboratory("leukocytes", "HP:0001882", "HP:0001974"),
        "751-8": Laboratory("neutrophils", "HP:0001875", "HP:0011897"),
        "731-0": Laboratory("lymphocytes", "HP:0001888", "HP:0100827"),
        "711-2": Laboratory("eosinophils", "", "HP:0001880"),
        "742-7": Laboratory("monocytes", "HP:0012312", "HP:0012311"),
        "17849-1": Laboratory("reticulocytes", "HP:0001896", "HP:0001923"),
        "2276-4": Laboratory("ferritin", "HP:0012343", "HP:0003281"),
        "2498-4": Laboratory("iron", "HP:0040303", "HP:0003452"),
        "2502-3": Laboratory("iron saturation", "HP:0012464", "HP:0012463"),
        "2132-9": Laboratory("B12", "HP:0100502", ""),
        "2284-8": Laboratory("folate", "HP:0100507", ""),
        "1989-3": Laboratory("25-OH vitamin D3", "HP:0100512", ""),
        "62292-8": Laboratory("25-OH vitamin D", "HP:0100512", ""),
        "2731-8": Laboratory("PTH", "HP:0031817", "HP:0003165"),
        "3016-3": Laboratory("TSH", "HP:0031098", "HP:0002925"),
        "3024-7": Laboratory("free T4", "HP:0033078", "HP:0033077"),
        "2143-6": Laboratory("cortisol", "HP:0008163", "HP:0003118"),
        "2842-3": Laboratory("prolactin", "", "HP:0000870"),
        "1988-5": Laboratory("CRP", "", "HP:0011227"),
        "30341-2": Laboratory("ESR", "", "HP:0003565"),
        "4537-7": Laboratory("ESR Westergren", "", "HP:0003565"),
        "2465-3": Laboratory("igG", "HP:0004315", "HP:0003237"),
        "2458-8": Laboratory("igA", "HP:0002720", "HP:0003261"),
        "19113-0": Laboratory("igE", "", "HP:0003212"),
        "2064-4": Laboratory("ceruloplasmin", "HP:0010837", ""),
        "2888-6": Laboratory("protein urine", "", "HP:0000093"),
        "9318-7": Laboratory("albumin/creatinine urine", "", "HP:0012592"),
        "5902-2": Laboratory("PT", "", "HP:0008151"),
        "14979-9": Laboratory("aPTT", "", "HP:0003645"),
        "3255-7": Laboratory("fibrinogen", "HP:0011900", ""),
        "1834-1": Laboratory("AFP", "", "HP:0006254"),
        "2744-1": Laboratory("pH arterial", "HP:0032368", "HP:0032369"),
        "13965-9": Laboratory("homocysteine", "", "HP:0002160"),
        "2484-4": Laboratory("IGF-1", "HP:0030353", ""),
        "15067-2": Laboratory("FSH", "HP:0030341", "HP:0008232"),
        "10501-5": Laboratory("LH", "HP:0030344", "HP:0011969"),
        "4498-2": Laboratory("C4", "HP:0045042", ""),
        "4485-9": Laboratory("C3", "HP:0005421", ""),
        "42637-9": Laboratory("BNP", "", "HP:0033534"),
        "5794-3": Laboratory("hb urine", "", "HP:0000790"),
    }
)


def laboratory_findings(loinc: str, direction: str) -> tuple[tuple[str, bool], ...]:
    """(term, excluded) of a result that is `low`, `high` or `normal`; a normal result excludes both findings."""
    test = LABORATORY[loinc]
    if direction == "normal":
        return tuple((term, True) for term in (test.low, test.high) if term)
    term = test.low if direction == "low" else test.high
    return ((term, False),) if term else ()
