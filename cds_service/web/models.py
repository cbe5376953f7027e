"""The model card a prediction's source links to."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.errors import NotFound
from cds_service.web.context import runtime

models = Blueprint("models", __name__, url_prefix="/models")


@models.get("/<task>/<version>/card")
def model_card(task: str, version: str) -> Response:
    """The card of the model in service, as Markdown text."""
    process = runtime()
    model = process.rare.get().ranker if task == "rare" else process.predictor
    if task not in ("risk", "rare") or version != model.version:
        raise NotFound("no such model is in service")
    return Response(model.card_path.read_text(encoding="utf-8"), content_type="text/markdown; charset=utf-8")
