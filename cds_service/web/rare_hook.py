"""The service `rare-disease`: cards with the diseases that fit a patient's findings."""

from __future__ import annotations

from cds_service.cdshooks.envelope import Envelope
from cds_service.cdshooks.prefetch import Prefetch
from cds_service.cdshooks.rare_cards import MOST_CANDIDATES, rare_cards
from cds_service.domain.phenotype import Heard
from cds_service.services.log_prediction import Asked
from cds_service.web.context import runtime
from cds_service.web.hooks import Concluded
from cds_service.web.ranking import findings_from_fhir, rank_from


def conclude(call: Envelope, prefetch: Prefetch, asked: Asked) -> Concluded:
    """The diseases that fit the findings that were sent, else those other systems sent; Unavailable while they load."""
    process = runtime()
    snapshot, heard = findings_from_fhir(
        prefetch.parts,
        patient_id=call.patient_id,
        encounter_id=call.encounter_id,
        at=process.now(),
        server=call.fhir_server,
    )
    if not heard.findings:
        sent = process.beside.findings_sent.hear(snapshot, asked.actor, process.beside.rare.get().codes)
        heard = Heard(sent.findings, heard.unmapped + sent.unmapped, heard.remarks + sent.remarks)
    assessment = rank_from(snapshot, heard, MOST_CANDIDATES, actor=asked.actor)
    cards = rare_cards(
        assessment, language=asked.language, public_url=process.settings.public_url, notes=prefetch.notes
    )
    return Concluded(assessment, cards)
