"""The golden cases, by a name a clinician would recognise; each is compared whole in both languages."""

from __future__ import annotations

from datetime import timedelta

from cds_service.cdshooks.prefetch import Note, NoteKind
from cds_service.domain.patient import NotUsed
from cds_service.domain.prediction import Driver, Prediction, StateEstimate, StateTag
from tests.cdshooks.builders import AT, a_news2, a_prediction, a_reading, a_risk, a_snapshot, an_unused

SICK = Driver("respiratory_rate", 26.0, 0.91), Driver("heart_rate", 128.0, 0.62), Driver("spo2", 91.0, 0.41)


def pneumonia_without_temperature() -> Prediction:
    """The card DESIGN draws: a lower bound past the emergency threshold, and a high risk."""
    drivers = (*SICK, Driver("age", 71.0, 0.2), Driver("systolic_bp", 132.0, -0.15), Driver("sex", "male", 0.04))
    monitor = "HL7, ED-4 monitor"
    values = {
        "respiratory_rate": 26.0,
        "spo2": 91.0,
        "heart_rate": a_reading("heart_rate", 128.0, source=monitor),
        "systolic_bp": 132.0,
    }
    stale = an_unused("weight", NotUsed.STALE, "82 kg", time=AT - timedelta(days=92))
    points = {"respiratory_rate": 3, "spo2": 3, "pulse": 2, "temperature": None, "consciousness": None}
    return a_prediction(
        snapshot=a_snapshot(values=values, not_used=(an_unused("temperature", NotUsed.IMPLAUSIBLE, "98.6 Cel"), stale)),
        news2=a_news2(points={**points, "on_oxygen": None}, upper=16, level="high", upper_level="high"),
        risk=a_risk(0.142, "high", drivers),
        states=(StateTag("acute", ("model", "score")), StateTag("chronic", ("record",), ("E11.9", "2019"))),
        would_help=("temperature",),
    )


def new_confusion_alone() -> Prediction:
    """Total 3 from one parameter: the single 3 must survive a low total and a low risk."""
    return a_prediction(
        snapshot=a_snapshot(values={**a_snapshot().readings, "consciousness": "C"}),
        news2=a_news2(points={"consciousness": 3}, level="low-medium", upper_level="low-medium"),
        states=(StateTag("acute", ("score",)),),
    )


def pulse_of_zero() -> Prediction:
    """An impossible pulse may be an emergency: shown first, taken into no score."""
    zero = an_unused("heart_rate", NotUsed.IMPLAUSIBLE, "0 /min", alarming=True, source="Observation/88")
    values = {name: reading for name, reading in a_snapshot().readings.items() if name != "heart_rate"}
    return a_prediction(
        snapshot=a_snapshot(values=values, not_used=(zero,)),
        news2=a_news2(points={"pulse": None}, upper=3, upper_level="low-medium"),
        states=(StateTag("not-determinable", ("rule",)),),
        would_help=("pulse",),
    )


def nothing_measured() -> Prediction:
    """No vital sign at all: a card that says so, never silence."""
    return a_prediction(
        snapshot=a_snapshot(values={}),
        news2=None,
        news2_omitted="no-inputs",
        risk=None,
        risk_omitted="no-vitals",
        states=(StateTag("not-determinable", ("rule",)),),
        would_help=("respiratory_rate", "spo2", "heart_rate"),
    )


def pregnant_woman() -> Prediction:
    """Recorded pregnancy: no NEWS2, the maternity score named; the risk stays."""
    return a_prediction(
        snapshot=a_snapshot(sex="female", age_years=31.2, pregnant=True),
        news2=None,
        news2_omitted="pregnant",
        risk=a_risk(
            0.004, drivers=(Driver("complaint_group", "abdominal-pain", -0.2), Driver("temperature", None, 0.1))
        ),
        states=(StateTag("mild", ("rule",)),),
    )


def ward_patient_composed() -> Prediction:
    """Not an emergency visit: NEWS2 only, composed over more than an hour, with a Spanish decimal in it."""
    early = {"temperature": a_reading("temperature", 38.4, 115, flags=("preliminary",))}
    return a_prediction(
        snapshot=a_snapshot(
            values={**a_snapshot().readings, "heart_rate": 118.0, "systolic_bp": 98.0, **early}, encounter_class="IMP"
        ),
        news2=a_news2(
            points={"pulse": 2, "systolic_bp": 2, "temperature": 1},
            level="medium",
            upper_level="medium",
            spread_min=100.0,
            composed=True,
            remarks=("pregnancy-unknown", "confusion-not-asked"),
        ),
        risk=None,
        risk_omitted="not-emergency",
        states=(StateTag("acute", ("score",)),),
    )


def hospice_patient() -> Prediction:
    """A palliative code prompts a look at goals of care; two further records are chronic."""
    states = (
        StateTag("terminal", ("record",), ("Z51.5",)),
        StateTag("chronic", ("record",), ("I50.9", "J44.9")),
        StateTag("mild", ("rule",)),
    )
    return a_prediction(states=states, risk=a_risk(0.035, "moderate", (Driver("chronic_count", 2.0, 0.3),)))


def child_with_extreme_values() -> Prediction:
    """Three years old: no score is for children, and the card must not read as if nothing were wrong."""
    return a_prediction(
        snapshot=a_snapshot(values={"heart_rate": 205.0, "respiratory_rate": 62.0, "spo2": 88.0}, age_years=3.2),
        news2=None,
        news2_omitted="under-16",
        risk=None,
        risk_omitted="under-18",
        states=(StateTag("not-determinable", ("rule",)),),
    )


def recorded_as_deceased() -> Prediction:
    """Fresh, normal vital signs of a patient whose record says dead: that is said before anything else."""
    return a_prediction(snapshot=a_snapshot(remarks=("patient-deceased",)))


def healthy_adult() -> Prediction:
    """Everything measured and normal: nothing to say."""
    return a_prediction()


def states_by_the_hospitals_model() -> Prediction:
    """Acute by the rules; the hospital's own model gives every state its share beside the tags, and a set of two."""
    shares = {"not-ill": 0.004, "mild": 0.11, "acute": 0.642, "chronic": 0.214, "terminal": 0.03}
    return new_confusion_alone()._replace(
        state_model=StateEstimate("1.2.0", shares, ("acute", "chronic"), 0.9, synthetic=False)
    )


def well_by_the_rules_but_not_by_the_model() -> Prediction:
    """Nothing out of range, and a model of invented patients that thinks of chronic illness: shown, with its doubt."""
    shares = {"not-ill": 0.34, "mild": 0.05, "acute": 0.05, "chronic": 0.55, "terminal": 0.01}
    return healthy_adult()._replace(state_model=StateEstimate("1.0.0", shares, (), 0.9, synthetic=True))


CASES = {
    function.__name__.replace("_", "-"): function()
    for function in (
        pneumonia_without_temperature,
        new_confusion_alone,
        pulse_of_zero,
        nothing_measured,
        pregnant_woman,
        ward_patient_composed,
        hospice_patient,
        child_with_extreme_values,
        recorded_as_deceased,
        healthy_adult,
        states_by_the_hospitals_model,
        well_by_the_rules_but_not_by_the_model,
    )
}
NOTES = {
    "nothing-measured": (Note(NoteKind.QUERY_FAILED, "observations"),),
    "hospice-patient": (Note(NoteKind.FIRST_PAGE_ONLY, "conditions"),),
}
