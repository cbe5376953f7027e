"""The model card a prediction's source links to."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.errors import NotFound
from cds_service.web.context import runtime

models = Blueprint("models", __name__, url_prefix="/models")


@models.get("/<task>/<version>/card")
def model_card(task: str, version: str) -> Response:
    """The card of the model in service, as Markdown text."""
    predictor = runtime().predictor
    if (task, version) != ("risk", predictor.version):
        raise NotFound("no such model is in service")
    return Response(predictor.card_path.read_text(encoding="utf-8"), content_type="text/markdown; charset=utf-8")
