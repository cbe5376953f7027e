"""The Flask application: its blueprints, its errors, and the runtime behind them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from flask import Flask

from cds_service import logs
from cds_service.cdshooks.catalogue import DIAGNOSIS_LABEL, RARE_DISEASE
from cds_service.runtime import Runtime
from cds_service.settings import Settings
from cds_service.web import health
from cds_service.web.application import assemble
from cds_service.web.console import console
from cds_service.web.console.launch import prepare_launches
from cds_service.web.console.sessions import prepare_cookie
from cds_service.web.diagnoses import take_diagnoses
from cds_service.web.feedback import feedback
from cds_service.web.fhir import fhir
from cds_service.web.hooks import ANSWERS, Answer, answer_with_cards, hooks
from cds_service.web.labels import labels
from cds_service.web.messages import messages
from cds_service.web.models import models
from cds_service.web.openapi import openapi
from cds_service.web.predictions import predictions
from cds_service.web.rare import rare
from cds_service.web.rare_hook import conclude

BLUEPRINTS = (hooks, feedback, fhir, predictions, labels, rare, messages, models, health.blueprint, openapi, console)

_ANSWERS_BESIDE: dict[str, Answer] = {
    RARE_DISEASE.id: partial(answer_with_cards, conclude),
    DIAGNOSIS_LABEL.id: take_diagnoses,
}


def create_app(runtime: Runtime) -> Flask:
    """The application, whole, over a runtime that is started, or about to be."""
    ANSWERS.update(_ANSWERS_BESIDE)
    app = assemble(runtime, BLUEPRINTS)
    prepare_cookie(app, runtime)
    prepare_launches(app, runtime)
    return app


def create_started_app(environment: Mapping[str, str] = os.environ) -> Flask:
    """The application with its runtime started, from the environment; ConfigurationError names what is wrong."""
    settings = Settings.from_environment(environment)
    logs.configure(settings.log_file)
    runtime = Runtime.from_settings(settings)
    runtime.start()
    return create_app(runtime)
