"""PID, MRG, PV1, PV2 and DG1: whose observations they are, in which visit, with which diagnoses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cds_service.domain.text import MAX_NAME, bounded
from cds_service.hl7.coding import SYSTEMS, coded_of, codings_of, words_of
from cds_service.hl7.events import Effect
from cds_service.hl7.message import Identifier, Merge, Patient, SentDiagnosis, Visit, VisitStatus
from cds_service.hl7.site import Sender, SiteMap
from cds_service.hl7.syntax import Syntax
from cds_service.hl7.times import day_of
from cds_service.hl7.tokens import NULL, Segment

# Kept of a patient: more identifiers than this are never shown or matched. Chosen by us.
_MAX_IDENTIFIERS = 20

_SEXES = {"M": "male", "F": "female"}

# HL7 table 0004 (patient class) to v3-ActCode, as FHIR's Encounter.class names them. Obstetrics, recurring and
# commercial say nothing of where the patient is.
_CLASSES: Mapping[str, str] = MappingProxyType({"E": "EMER", "I": "IMP", "O": "AMB", "P": "PRENC"})

# HL7 table 0430 (mode of arrival), as the FHIR reader reads it: ambulance and helicopter; car, foot, other, public.
_BY_AMBULANCE = {"A": True, "H": True, "C": False, "F": False, "O": False, "P": False}


def read_patient(pid: Segment, site: SiteMap, sender: Sender) -> Patient:
    """The patient a PID names."""
    return Patient(
        identifiers=_identifiers(pid, 3, site, sender),
        name=_spoken(pid),
        birth_date=bounded(pid.part(7)),
        sex=_SEXES.get(pid.part(8).upper()),
    )


def read_merge(mrg: Segment, site: SiteMap, sender: Sender) -> Merge:
    """The identifiers a record was known by before."""
    return Merge(
        prior=_identifiers(mrg, 1, site, sender),
        prior_account=next(iter(_identifiers(mrg, 3, site, sender)), None),
        prior_visit=next(iter(_identifiers(mrg, 5, site, sender)), None),
    )


def _identifiers(segment: Segment, number: int, site: SiteMap, sender: Sender) -> tuple[Identifier, ...]:
    sent = [identifier_of(one, segment.syntax, site, sender) for one in segment.repetitions(number)[:_MAX_IDENTIFIERS]]
    return tuple(identifier for identifier in sent if identifier.value)


def identifier_of(sent: str, syntax: Syntax, site: SiteMap, sender: Sender) -> Identifier:
    """One identifier (CX); its system is the site's name of the authority, else its object identifier, else its own."""
    parts = [*syntax.components(sent), "", "", "", ""]
    value = "" if parts[0] == NULL else parts[0]
    own = site.authorities.get(sender.authority, sender.authority)
    return Identifier(bounded(value, MAX_NAME), _system(sent, syntax, site) or own, parts[4])


def _system(sent: str, syntax: Syntax, site: SiteMap) -> str:
    namespace, universal, kind = [*syntax.subcomponents(sent, 4), "", "", ""][:3]
    for name in (namespace, universal):
        if name in site.authorities:
            return site.authorities[name]
    if universal:
        prefix = {"ISO": "urn:oid:", "UUID": "urn:uuid:"}.get(kind.upper(), "")
        return bounded(f"{prefix}{universal}", MAX_NAME)
    return bounded(namespace, MAX_NAME)


def _spoken(pid: Segment) -> str:
    family, given, middle = [*pid.components(5), "", ""][:3]
    names = (name for name in (given, middle, family) if name and name != NULL)
    return bounded(" ".join(names), MAX_NAME)


def read_visit(pv1: Segment, effect: Effect, site: SiteMap, sender: Sender) -> Visit:
    """The visit a PV1 names, and by the event of the message whether it is under way."""
    number = pv1.repetitions(19)
    return Visit(
        number=identifier_of(number[0], pv1.syntax, site, sender) if number else None,
        encounter_class=_CLASSES.get(pv1.part(2).upper()),
        status=_visit_status(pv1, effect),
        location=bounded(pv1.field(3), MAX_NAME),
    )


def _visit_status(pv1: Segment, effect: Effect) -> VisitStatus:
    if effect is Effect.CANCELS_ADMISSION:
        return VisitStatus.CANCELLED
    if effect is Effect.SCHEDULES or pv1.part(2).upper() == "P":
        return VisitStatus.PLANNED
    is_over = effect is Effect.DISCHARGES or (pv1.part(45) and effect is not Effect.CANCELS_DISCHARGE)
    return VisitStatus.FINISHED if is_over else VisitStatus.UNDER_WAY


def with_details(visit: Visit, pv2: Segment) -> Visit:
    """The visit with what PV2 adds: why the patient came, and how."""
    reason = pv2.field(3)
    return visit._replace(
        reasons=tuple(coding.key for coding in codings_of(reason, pv2.syntax)),
        reason_text=words_of(reason, pv2.syntax),
        by_ambulance=_BY_AMBULANCE.get(pv2.part(38).upper()),
    )


def read_diagnosis(dg1: Segment) -> SentDiagnosis:
    """One DG1; its codes are of the system DG1-2 names where DG1-3 names none."""
    method = dg1.part(2)
    coded = coded_of(dg1.field(3), dg1.syntax)
    codings = tuple((system or SYSTEMS.get(method.upper(), method), code) for system, code in coded.keys)
    day = day_of(dg1.part(5))
    return SentDiagnosis(
        codings=codings,
        text=coded.words or dg1.part(4),
        day=None if day is None else day.first,
        type=dg1.part(6).upper(),
        is_deleted=dg1.part(21).upper() == "D",
        source=dg1.place,
        clinician=bounded(dg1.part(16), MAX_NAME),
    )
