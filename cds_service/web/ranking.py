"""The steps every door shares that ranks rare diseases: FHIR parts to findings, and findings to a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cds_service.domain.actor import Actor
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import Heard, RareAssessment
from cds_service.fhir.findings import findings_from_resources
from cds_service.services.rank_rare import rank_rare
from cds_service.storage.prediction_log import new_prediction_id
from cds_service.web.answering import resources_of, snapshot_of
from cds_service.web.context import runtime


def findings_from_fhir(
    parts: Sequence[Any],
    *,
    patient_id: str | None,
    encounter_id: str | None,
    at: datetime,
    server: str | None = None,
) -> tuple[PatientSnapshot, Heard]:
    """The canonical record of FHIR resources or Bundles, and what they say of the patient's findings.

    Unavailable while the knowledge base that knows the codes is loading.
    """
    process = runtime()
    codes = process.beside.rare.get().codes
    resources = resources_of(parts, (), server)
    heard = findings_from_resources(
        resources, patient_id=patient_id, at=at, policy=process.settings.site.reading, codes=codes
    )
    return snapshot_of(resources, patient_id, encounter_id, at), heard


def rank_from(snapshot: PatientSnapshot, heard: Heard, limit: int, *, actor: Actor) -> RareAssessment:
    """The ranking of rare diseases for what was heard, by the knowledge base and what the caller's tenant learned."""
    process = runtime()
    return rank_rare(
        snapshot,
        heard,
        prediction_id=new_prediction_id(snapshot.at),
        site_hash=process.settings.site.hash,
        limit=limit,
        taught=process.beside.overlays.taught(actor, snapshot.identity.patient_id, process.beside.rare.get()),
    )
