"""Diseases from both sources: OMIM and Orphanet entries of one disease become one, with its onset and inheritance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cds_service.errors import ConfigurationError
from training.rare.hpoa import Annotation, Annotations

EQUIVALENCE_FILE = "disease_id_equivalence.tsv"

# Earliest age in years at which each class of onset can begin.
# Source: definitions of HPO's terms below Onset (HP:0003674); unlisted terms say nothing of the earliest age.
EARLIEST_ONSET = {
    "HP:0030674": 0.0,  # antenatal
    "HP:0011460": 0.0,  # embryonal
    "HP:0011461": 0.0,  # fetal
    "HP:0034197": 0.0,  # third trimester
    "HP:0034198": 0.0,  # second trimester
    "HP:0034199": 0.0,  # late first trimester
    "HP:0003577": 0.0,  # congenital
    "HP:0003623": 0.0,  # neonatal
    "HP:0003593": 0.0,  # infantile: from 28 days
    "HP:0410280": 0.0,  # pediatric
    "HP:0011463": 1.0,  # childhood
    "HP:0003621": 5.0,  # juvenile
    "HP:0003581": 16.0,  # adult
    "HP:0011462": 16.0,  # young adult
    "HP:0025708": 16.0,  # early young adult
    "HP:0025709": 19.0,  # intermediate young adult
    "HP:0025710": 25.0,  # late young adult
    "HP:0003596": 40.0,  # middle age
    "HP:0003584": 60.0,  # late
}


@dataclass(frozen=True, slots=True)
class Disease:
    """One disease under its OMIM id where it has one; `also` are the other sources' ids of the same.

    `onset` is the earliest annotated age in years, None where none is annotated.
    """

    id: str
    name: str
    also: tuple[str, ...]
    onset: float | None
    inheritance: tuple[str, ...]
    findings: tuple[Annotation, ...]


def read_equivalence(path: Path) -> dict[str, str]:
    """Orphanet id to the OMIM id of the same disease."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError("cannot be read", where=str(path)) from problem
    try:
        return dict(line.split("\t") for line in lines)
    except ValueError as problem:
        raise ConfigurationError("has not two columns in every line", where=str(path)) from problem


def merge_diseases(annotations: Annotations, equivalence: Mapping[str, str]) -> list[Disease]:
    """Every disease with at least one finding, by id; an Orphanet entry joins its OMIM entry when both are here."""
    annotated = {finding.disease for finding in annotations.findings}
    members: dict[str, list[str]] = defaultdict(list)
    for disease in sorted(annotated, key=_number):
        omim = equivalence.get(disease)
        members[omim if omim in annotated else disease].append(disease)
    findings: dict[str, list[Annotation]] = defaultdict(list)
    for finding in annotations.findings:
        findings[finding.disease].append(finding)
    return [_merged(disease, members[disease], annotations, findings) for disease in sorted(members, key=_number)]


def _merged(
    disease: str, members: list[str], annotations: Annotations, findings: Mapping[str, list[Annotation]]
) -> Disease:
    onsets = [
        EARLIEST_ONSET[term]
        for member in members
        for term in annotations.onsets.get(member, ())
        if term in EARLIEST_ONSET
    ]
    return Disease(
        id=disease,
        name=annotations.names[disease],
        also=tuple(member for member in members if member != disease),
        onset=min(onsets, default=None),
        inheritance=tuple(sorted({term for m in members for term in annotations.inheritances.get(m, ())})),
        findings=tuple(finding for member in members for finding in findings[member]),
    )


def _number(disease: str) -> tuple[str, int]:
    source, _, number = disease.partition(":")
    return source, int(number)
