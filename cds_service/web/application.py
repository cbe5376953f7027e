"""A Flask application of some blueprints over a runtime, with what every request passes through."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask

from cds_service.cdshooks.catalogue import VITALS_RISK
from cds_service.monitoring import metrics
from cds_service.monitoring.models import observe_models
from cds_service.runtime import Runtime
from cds_service.web import cors, edge, health, problems, refusals
from cds_service.web.hooks import hooks
from cds_service.web.lean_flask import LeanFlask

# What a service answers from the moment it is ready.
FIRST = frozenset({"/livez", "/readyz", "/metrics", "/cds-services", f"/cds-services/{VITALS_RISK.id}"})


def assemble(runtime: Runtime, blueprints: Sequence[Blueprint]) -> Flask:
    """An application that answers the addresses of these blueprints; its runtime is started, or about to be."""
    app = LeanFlask("cds_service", often=FIRST)
    app.extensions["cds"] = runtime
    app.config["MAX_CONTENT_LENGTH"] = runtime.settings.max_body_bytes
    metrics.observe_writer(lambda: runtime.writer)
    observe_models(runtime.models.versions)
    problems.register_error_handlers(app)
    refusals.record_refusals(app)
    edge.watch_requests(app)
    cors.allow_origins(app, runtime.settings.cors_origins)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app


def create_first_app(runtime: Runtime) -> Flask:
    """The application of the addresses in `FIRST`."""
    return assemble(runtime, (hooks, health.blueprint))
