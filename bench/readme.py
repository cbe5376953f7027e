"""Writes the README's card and model table from the code and the artifact: `python -m bench.readme`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cds_service.cdshooks.cards import cards_from_prediction
from cds_service.cdshooks.catalogue import SERVICES
from cds_service.cdshooks.prefetch import read_prefetch
from cds_service.domain.policy import AssessmentPolicy, ReadingPolicy
from cds_service.fhir.reader import read_resources, snapshot_from_resources
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from cds_service.services.assess import assess
from cds_service.services.models import Serving
from cds_service.storage.prediction_log import new_prediction_id

ROOT = Path(__file__).parents[1]
_TIERS = (("full", "11 inputs"), ("vitals-8", "8 vital signs"), ("vitals-6", "6 vital signs"))


def readme() -> str:
    """The README with its card and its model table made anew."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, block in (("card", _card()), ("model", _model())):
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{block}\n<!-- /{name} -->{rest.partition(f'<!-- /{name} -->')[2]}"
    return text


def _card() -> str:
    """The bundled example's card, as quoted Markdown, five minutes after its newest reading."""
    call = json.loads((ROOT / "fixtures" / "hooks" / "try.json").read_text(encoding="utf-8"))
    times = [entry["resource"]["effectiveDateTime"] for entry in call["prefetch"]["observations"]["entry"]]
    at = max(map(datetime.fromisoformat, times)) + timedelta(minutes=5)
    context, models = call["context"], ROOT / "models"
    parts = read_prefetch(SERVICES["vitals-risk"], call["hook"], call["prefetch"]).parts
    snapshot = snapshot_from_resources(
        read_resources([json.dumps(part).encode() for part in parts]),
        patient_id=context["patientId"],
        encounter_id=context["encounterId"],
        at=at,
        policy=ReadingPolicy(),
        tables=load_code_tables(models),
    )
    prediction = assess(
        snapshot,
        prediction_id=new_prediction_id(at),
        models=Serving(load_predictor(models)),
        policy=AssessmentPolicy(),
        site_hash="",
    )
    [card] = cards_from_prediction(prediction, language="en", public_url="http://127.0.0.1:8080")
    lines = f"**{card['summary']}** ({card['indicator']})\n\n{card['detail']}".split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _model() -> str:
    """Test figures of each tier, from the artifact's own evaluation."""
    evaluation: dict[str, Any] = json.loads(
        (ROOT / "models" / "risk" / "1.0.0" / "evaluation.json").read_text(encoding="utf-8")
    )
    rows = [_row(evaluation, tier, inputs) for tier, inputs in _TIERS]
    head = "| inputs | AUROC (95 %) | AUPRC (95 %) | expected / observed 2019 | flags per 100 (high) | of them false |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows])


def _row(evaluation: dict[str, Any], tier: str, inputs: str) -> str:
    test = evaluation["tiers"][tier]["test"]
    year = evaluation["tiers"][tier]["by_year"]["2019"]
    high = evaluation["bands"][tier]["high"]["2019-2020"]
    return (
        f"| {inputs} | {_interval(test['auroc'])} | {_interval(test['auprc'])} "
        f"| {_interval(year['expected_over_observed'], 2)} | {high['flags_per_100']:.1f} | {high['false_share']:.0%} |"
    )


def _interval(found: dict[str, float], digits: int = 3) -> str:
    return f"{found['value']:.{digits}f} ({found['low']:.{digits}f}–{found['high']:.{digits}f})"


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
