"""Invented emergency visits with a known truth, and what invented clinicians later say of them. All of it is seeded.

Nothing here is about anybody. Vital signs of those who will need intensive care are shifted against the others. The
shifts are chosen by us: either as in the survey, or so that what tells most here, diastolic pressure and temperature,
tells the shipped model and simple scores little, and there is something to learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Mean and spread of those who will not need intensive care.
_VITALS = {
    "heart_rate": (86.0, 14.0),
    "systolic_bp": (132.0, 18.0),
    "diastolic_bp": (78.0, 10.0),
    "respiratory_rate": (17.0, 2.5),
    "spo2": (97.0, 1.5),
    "temperature": (36.8, 0.4),
}
# By how much the mean of those who will need it differs, in the order of the vital signs.
UNLIKE_THE_SURVEY = (7.0, -6.0, -19.0, 1.5, -1.0, 0.8)
LIKE_THE_SURVEY = (22.0, -16.0, -6.0, 5.0, -4.0, 0.2)
_LIMITS = {"spo2": (70.0, 100.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """How the invented hospital is: shares of visits, all chosen by us.

    `labelled` of the visits are ever labelled. Of the labels `corrected` are wrong at first and put right by the same
    clinician, `disputed` contradicted by another one, and `swayed` those a clinician who saw a high risk takes from
    the card; `seen` of the high risks are looked at before the label is given. `mistaken` are wrong and stay so;
    `poisoned` are turned round by whoever wants the model to fail.
    """

    prevalence: float = 0.2
    labelled: float = 0.5
    corrected: float = 0.05
    disputed: float = 0.03
    swayed: float = 0.05
    seen: float = 1.0
    mistaken: float = 0.0
    poisoned: float = 0.0
    clinicians: int = 400
    shifts: tuple[float, ...] = UNLIKE_THE_SURVEY


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: who, what the form says, and what is true of it."""

    patient: str
    form: dict[str, object]
    needs_icu: bool


@dataclass(frozen=True, slots=True)
class Saying:
    """What one clinician says of a visit; `corrects` says that it takes the place of their own first word."""

    clinician: str
    icu_admission: bool
    saw_prediction: str
    corrects: bool = False


_GIVEN = ("Rosa", "Iker", "Nadia", "Tomas", "Lena", "Hugo", "Ines", "Omar", "Vera", "Milo", "Alma", "Joel")
_FAMILY = ("Muestra", "Sample", "Ejemplo", "Demo", "Prueba", "Mock", "Ficticio", "Madeup", "Inventado", "Specimen")


def name_parts(number: int) -> tuple[str, str]:
    """Given and family name of the invented patient with this number; the family name says that nobody has it."""
    return _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN) % len(_FAMILY)]


def invented_name(number: int) -> str:
    """The whole name, and that it is made up."""
    return " ".join((*name_parts(number), "(synthetic)"))


def visits(number: int, ward: Ward, seed: int) -> Iterator[Visit]:
    """So many visits, one of each patient; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        needs_icu = bool(rng.random() < ward.prevalence)
        form: dict[str, object] = {
            "patient_id": f"invented-{seed}-{index}",
            "patient_name": invented_name(index),
            "age": int(np.clip(rng.normal(66 if needs_icu else 48, 16), 18, 95)),
            "sex": "female" if rng.random() < 0.5 else "male",
            "encounter_class": "EMER",
        }
        for (name, (mean, spread)), shift in zip(_VITALS.items(), ward.shifts, strict=True):
            low, high = _LIMITS.get(name, (0.0, 300.0))
            form[name] = round(float(np.clip(rng.normal(mean + shift * needs_icu, spread), low, high)), 1)
        yield Visit(str(form["patient_id"]), form, needs_icu)


def sayings(visit: Visit, ward: Ward, *, said_high: bool, seed: int) -> tuple[Saying, ...]:
    """What is said of a visit, in the order it is said; nothing of most that are not labelled."""
    rng = np.random.default_rng([seed, int(visit.patient.rpartition("-")[2])])
    draws = dict(zip(("labelled", "corrected", "disputed", "swayed", "poisoned"), rng.random(5), strict=True))
    happens = {name: bool(draw < getattr(ward, name)) for name, draw in draws.items()}
    if not happens["labelled"]:
        return ()
    one, other = (f"Practitioner/invented-{number}" for number in rng.choice(ward.clinicians, 2, replace=False))
    is_mistaken = bool(rng.random() < ward.mistaken)
    truth = visit.needs_icu != (happens["poisoned"] or is_mistaken)
    seen = said_high and bool(rng.random() < ward.seen)
    believed = truth or (seen and happens["swayed"])
    saw = "yes" if seen else "no"
    first = Saying(one, believed != happens["corrected"], saw)
    found = [first]
    if happens["corrected"]:
        found.append(Saying(one, believed, saw, corrects=True))
    if happens["disputed"]:
        found.append(Saying(other, not believed, "no"))
    return tuple(found)
