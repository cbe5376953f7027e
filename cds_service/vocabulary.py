"""What cards and FHIR resources call things: tables of English words, each a message id of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cds_service.domain.patient import NotUsed, Value
from cds_service.i18n import msgid

Table = Mapping[str, str]

# Name and unit of each vital sign as a clinician writes them (UCUM's print symbols: Cel is °C, mm[Hg] is mmHg).
VITALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "respiratory_rate": (msgid("breathing"), "/min"),
        "spo2": ("SpO2", " %"),
        "on_oxygen": (msgid("oxygen"), ""),
        "oxygen_flow": (msgid("oxygen flow"), " L/min"),
        "oxygen_concentration": (msgid("oxygen concentration"), " %"),
        "systolic_bp": (msgid("systolic"), " mmHg"),
        "diastolic_bp": (msgid("diastolic"), " mmHg"),
        "heart_rate": (msgid("heart rate"), "/min"),
        "pulse_rate": (msgid("pulse"), "/min"),
        "consciousness": (msgid("consciousness"), ""),
        "gcs_total": (msgid("Glasgow coma scale"), ""),
        "temperature": (msgid("temperature"), " °C"),
        "pain": (msgid("pain"), "/10"),
        "height": (msgid("height"), " cm"),
        "weight": (msgid("weight"), " kg"),
        "bmi": (msgid("body mass index"), " kg/m2"),
        "blood_group": (msgid("blood group"), ""),
        "exercise_days": (msgid("days of exercise a month"), ""),
    }
)

# Other names a prediction speaks of: NEWS2's parameters (domain/prediction.py) and the model's columns.
OTHER_NAMES: Table = MappingProxyType(
    {
        "pulse": msgid("pulse"),
        "age": msgid("age"),
        "sex": msgid("sex"),
        "arrived_by_ambulance": msgid("arrival by ambulance"),
        "complaint_group": msgid("complaint"),
        "chronic_count": msgid("chronic conditions"),
        "encounter_class": msgid("class of encounter"),
    }
)

NAMES: Table = MappingProxyType({**{name: label for name, (label, _) in VITALS.items()}, **OTHER_NAMES})

# Coded values, each saying its own name; a value of any other name is shown as a number or quoted.
VALUES: Mapping[str, Mapping[Value, str]] = MappingProxyType(
    {
        "on_oxygen": {True: msgid("on oxygen"), False: msgid("breathing room air")},
        "consciousness": {
            "A": msgid("alert (A)"),
            "C": msgid("new confusion (C)"),
            "V": msgid("responds to voice (V)"),
            "P": msgid("responds to pain (P)"),
            "U": msgid("unresponsive (U)"),
        },
        "sex": {"male": msgid("male"), "female": msgid("female")},
        "arrived_by_ambulance": {1.0: msgid("arrived by ambulance"), 0.0: msgid("did not arrive by ambulance")},
    }
)

REASONS: Table = MappingProxyType(
    {
        NotUsed.ENTERED_IN_ERROR: msgid("entered in error"),
        NotUsed.CANCELLED: msgid("cancelled"),
        NotUsed.NOT_FINAL: msgid("not a final result"),
        NotUsed.NO_VALUE: msgid("sent without a value"),
        NotUsed.NOT_MEASURED: msgid("marked by the device as no measurement"),
        NotUsed.COMPARATOR: msgid("only a limit (less or more than) was sent"),
        NotUsed.NOT_A_NUMBER: msgid("not a number"),
        NotUsed.UNKNOWN_VALUE: msgid("value not understood"),
        NotUsed.UNKNOWN_UNIT: msgid("unit not understood"),
        NotUsed.MISSING_UNIT: msgid("sent without a unit"),
        NotUsed.IMPLAUSIBLE: msgid("impossible in that unit, check"),
        NotUsed.INCONSISTENT: msgid("contradicts another reading, check"),
        NotUsed.STALE: msgid("too old"),
        NotUsed.FUTURE: msgid("dated in the future, check"),
        NotUsed.NO_TIME: msgid("sent without a time"),
        NotUsed.CONFLICTING: msgid("two different values at the same time, check"),
        NotUsed.CODE_CONFLICT: msgid("its codes contradict each other"),
        NotUsed.SUPERSEDED: msgid("a newer reading was used"),
        NotUsed.OTHER_PATIENT: msgid("belongs to another patient"),
        NotUsed.NO_PATIENT: msgid("patient not stated"),
    }
)

# RCP 2017 (NEWS2), responses to the thresholds, shortened.
RESPONSES: Table = MappingProxyType(
    {
        "low": msgid("Published response: routine monitoring, a registered nurse assesses from 1 point on."),
        "low-medium": msgid(
            "Published response to a single 3: urgent ward-based review, observations at least hourly."
        ),
        "medium": msgid(
            "Published response to 5 or 6: urgent assessment by a clinician competent in acute illness, "
            "observations at least hourly."
        ),
        "high": msgid(
            "Published response to 7 or more: emergency assessment by a team with critical-care skills, "
            "continuous monitoring."
        ),
    }
)

THRESHOLDS: Table = MappingProxyType(
    {
        "low-medium": msgid("a single 3 (%(parameters)s)"),
        "medium": msgid("reaches the urgent threshold"),
        "high": msgid("reaches the emergency threshold"),
    }
)

NEWS2_OMITTED: Table = MappingProxyType(
    {
        "age-unknown": msgid("age unknown"),
        "under-16": msgid("under 16, use the local paediatric early-warning score"),
        "pregnant": msgid("pregnancy recorded, use the local maternity early-warning score"),
        "no-inputs": msgid("none of its seven inputs is known"),
    }
)

# Said where the reason alone could be taken for "nothing alarming was found".
ADVICE_WITHOUT_NEWS2: Table = MappingProxyType(
    {
        "under-16": msgid(
            "NEWS2 and the risk are for adults: none of these values was judged for a child. "
            "What looks alarming needs the paediatric score at once."
        ),
    }
)

RISK_OMITTED: Table = MappingProxyType(
    {
        "age-unknown": msgid("age unknown"),
        "under-18": msgid("made for adults"),
        "not-emergency": msgid("made for emergency visits"),
        "encounter-class-unknown": msgid("made for emergency visits, class of this encounter unknown"),
        "no-vitals": msgid("no vital sign to start from"),
        "taught-by-made-up-patients": msgid("learnt from invented patients"),
    }
)

REMARKS: Table = MappingProxyType(
    {
        "pregnancy-unknown": msgid("Pregnancy unknown: NEWS2 is not for use in pregnancy."),
        "glasgow-not-full": msgid("The Glasgow total is under 15: assess consciousness (ACVPU)."),
        "consciousness-from-gcs": msgid("Consciousness taken from a Glasgow total of 15."),
        "confusion-not-asked": msgid("New confusion was not asked for: alertness alone does not rule it out."),
    }
)

# Flags of a reading, shown beside its source; what NEWS2 says in a remark is not said twice.
FLAGS: Table = MappingProxyType(
    {
        "preliminary": msgid("preliminary"),
        "time-from-issued": msgid("time of the report"),
        "time-from-order": msgid("time of the order"),
        "time-from-message": msgid("time of the message"),
        "time-ambiguous": msgid("at the change of the clocks, the earlier time"),
        "time-partial": msgid("time incomplete"),
        "status-missing": msgid("status missing"),
        "status-in-obx-10": msgid("status in another field"),
        "number-as-text": msgid("number sent as text"),
        "period-without-end": msgid("period without end"),
        "other-pressure-missing": msgid("other pressure missing"),
        "from-flow": msgid("from the oxygen flow"),
        "from-concentration": msgid("from the oxygen concentration"),
        "from-share": msgid("sent as a share of 1"),
        "stated-by-code": "",
        "confusion-not-asked": "",
    }
)

STATES: Table = MappingProxyType(
    {
        "acute": msgid("acute"),
        "chronic": msgid("chronic"),
        "mild": msgid("mild"),
        "terminal": msgid("palliative care or metastatic cancer recorded: check goals of care"),
        "not-ill": msgid("no abnormal vital sign found (does not exclude serious illness)"),
        "not-determinable": msgid("not determinable"),
    }
)

BASES: Table = {"score": "NEWS2", "model": msgid("risk"), "record": msgid("record"), "rule": msgid("rule")}
BANDS: Table = {"low": msgid("low"), "moderate": msgid("moderate"), "high": msgid("high")}

# How many confirmed cases of this site a candidate's profile holds.
LEARNED_FROM_ONE = msgid("learned from 1 validated case here")
LEARNED_FROM = msgid("learned from %(count)d validated cases here")

# Remarks that come before everything else, in the summary too: whether this is the patient at all.
FIRST_REMARKS: Table = MappingProxyType({"patient-deceased": msgid("Recorded as deceased, check the record")})

# Remarks that are kept and not said on a card: other sentences of it say what follows from them.
_UNSAID = (
    "patient-not-sent", "birth-date-missing", "encounter-not-sent", "encounter-class-unknown", "no-encounter-under-way",
    "condition-not-active", "condition-not-confirmed", "condition-refuted-or-in-error", "condition-without-code",
    "nested-bundle-ignored", "resource-without-type",
)  # fmt: skip

# Remarks of the readers on the record as a whole. What is routine says nothing; what is not in the table is quoted.
RECORD_REMARKS: Table = MappingProxyType(
    {
        "observation-of-other-patient": msgid("Observations of another patient were sent and left out."),
        "condition-of-other-patient": msgid("Conditions of another patient were sent and left out."),
        "encounter-of-other-patient": msgid("An encounter of another patient was sent and left out."),
        "observation-unreadable": msgid("An observation could not be read."),
        "condition-unreadable": msgid("A condition could not be read."),
        "encounter-unreadable": msgid("The encounter could not be read."),
        "patient-unreadable": msgid("The patient's data could not be read."),
        "birth-date-unreadable": msgid("The birth date could not be read."),
        "birth-date-in-future": msgid("The birth date lies in the future, check."),
        "birth-date-implausible": msgid("The birth date is implausible, check."),
        "birth-date-partial": msgid("The birth date is incomplete."),
        "patient-deceased": "",  # in FIRST_REMARKS
        "pregnancy-in-words": msgid("A recorded condition speaks of pregnancy: NEWS2 is not for use in pregnancy."),
        "pregnancy-record-old": msgid("A pregnancy was recorded long ago: check, NEWS2 is not for use in pregnancy."),
        "pregnancy-records-disagree": msgid("Records disagree on pregnancy: taken as pregnant."),
        "age-uncertain": msgid("The age is uncertain."),
        "identity-unknown": msgid("The identity of the patient is not known: check before anything is taken over."),
        "impossible-kept-device": msgid("An impossible value was kept: the device shows it."),
        "impossible-kept-repeated": msgid("An impossible value was kept: it was measured twice."),
        "impossible-kept-chart": msgid("An impossible value was kept: the chart has it."),
        "several-encounters": msgid("Several encounters are under way: none was chosen."),
        "encounter-not-found": msgid("The encounter named was not among those sent."),
        "encounter-withdrawn": msgid("The encounter was cancelled or entered in error."),
        "spo2-scale-record-not-current": msgid("A record for SpO2 scale 2 is no longer current: scale 1 used."),
        "spo2-scale-record-unattributed": msgid("A record for SpO2 scale 2 names no clinician: scale 1 used."),
        "spo2-scale-records-disagree": msgid("Records disagree on the SpO2 scale: scale 1 used."),
        "stored-readings-not-agreed": msgid(
            "Values another system sent were left out: birth date, sex or the open visit do not agree."
        ),
        "stored-reading-taken-back": msgid(
            "A value another system sent was corrected or withdrawn: an earlier card may have used it."
        ),
        "own-case-left-out": msgid("This patient's own confirmed case was left out of what was learned here."),
        "findings-by-message": msgid("No findings were sent: those of other systems' messages were used."),
        "stored-findings-not-agreed": msgid("Findings another system sent were left out: birth date or sex differ."),
        "finding-without-code": msgid("A condition without a code was left out."),
        "observation-not-usable": msgid("Observations that are not final, or of no known patient, were left out."),
        **dict.fromkeys(_UNSAID, ""),
    }
)
