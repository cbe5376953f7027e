"""The Flask application: its blueprints, its errors, and the runtime behind them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask

from cds_service import logs
from cds_service.monitoring import metrics
from cds_service.monitoring.models import observe_models
from cds_service.runtime import Runtime
from cds_service.settings import Settings
from cds_service.web import cors, edge, health, problems, refusals
from cds_service.web.console import console
from cds_service.web.console.launch import prepare_launches
from cds_service.web.console.sessions import prepare_cookie
from cds_service.web.feedback import feedback
from cds_service.web.fhir import fhir
from cds_service.web.hooks import hooks
from cds_service.web.labels import labels
from cds_service.web.messages import messages
from cds_service.web.models import models
from cds_service.web.openapi import openapi
from cds_service.web.predictions import predictions
from cds_service.web.rare import rare

BLUEPRINTS = (hooks, feedback, fhir, predictions, labels, rare, messages, models, health.blueprint, openapi, console)


class _Application(Flask):
    """Flask without coroutine views: none is here, and looking for one at every function called costs each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(runtime: Runtime) -> Flask:
    """The application over a runtime that is started, or about to be."""
    app = _Application("cds_service", static_folder=None)
    app.extensions["cds"] = runtime
    app.config["MAX_CONTENT_LENGTH"] = runtime.settings.max_body_bytes
    metrics.observe_writer(lambda: runtime.writer)
    observe_models(runtime.models.versions)
    problems.register_error_handlers(app)
    refusals.record_refusals(app)
    edge.watch_requests(app)
    cors.allow_origins(app, runtime.settings.cors_origins)
    prepare_cookie(app, runtime)
    prepare_launches(app, runtime)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def create_started_app(environment: Mapping[str, str] = os.environ) -> Flask:
    """The application with its runtime started, from the environment; ConfigurationError names what is wrong."""
    settings = Settings.from_environment(environment)
    logs.configure(settings.log_file)
    runtime = Runtime.from_settings(settings)
    runtime.start()
    return create_app(runtime)
