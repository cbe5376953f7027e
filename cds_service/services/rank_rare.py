"""The use case of every door for rare diseases: what was heard of a patient's findings becomes a ranking."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from cds_service.domain.finding_codes import vital_findings
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import Heard, Phenotype, RareAssessment
from cds_service.services.overlays import Taught


def rank_rare(
    snapshot: PatientSnapshot,
    heard: Heard,
    *,
    prediction_id: UUID,
    taught: Taught,
    site_hash: str,
    limit: int,
) -> RareAssessment:
    """The best `limit` diseases for the findings heard, with what the vital signs add at a low weight."""
    findings, contradicted = taught.rare.codes.consistent((*heard.findings, *vital_findings(snapshot)))
    phenotype = Phenotype(
        findings=findings,
        unmapped=(*heard.unmapped, *contradicted),
        age_years=snapshot.age_years,
        sex=snapshot.sex,
    )
    remarks = {*snapshot.remarks, *heard.remarks, *taught.remarks}
    return RareAssessment(
        id=prediction_id,
        snapshot=replace(snapshot, remarks=tuple(sorted(remarks))),
        phenotype=phenotype,
        ranking=taught.rare.ranker.rank(phenotype, limit=limit, learned=taught.learned),
        site_hash=site_hash,
    )
