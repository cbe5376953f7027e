"""The console: pages for clinicians at a browser. Its modules add their addresses to one blueprint."""

from cds_service.web.console import (
    dashboard,
    launch,
    models,
    prediction,
    prediction_actions,
    review,
    review_lists,
    sign_in,
    triage,
)
from cds_service.web.console.pages import console

__all__ = [
    "console",
    "dashboard",
    "launch",
    "models",
    "prediction",
    "prediction_actions",
    "review",
    "review_lists",
    "sign_in",
    "triage",
]
