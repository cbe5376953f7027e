"""The model card a prediction's source links to."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.errors import NotFound
from cds_service.web.context import runtime

models = Blueprint("models", __name__, url_prefix="/models")


@models.get("/<task>/<version>/card")
def model_card(task: str, version: str) -> Response:
    """The card of a model that is or was in service, as Markdown text: predictions of old link to theirs."""
    process = runtime()
    path = process.beside.rare.get().ranker.card_path if task == "rare" else process.models.card(task, version)
    if task == "rare" and version != process.beside.rare.get().ranker.version:
        raise NotFound("no such model is in service")
    return Response(path.read_text(encoding="utf-8"), content_type="text/markdown; charset=utf-8")
