"""The tables of the database, the same on SQLite and PostgreSQL."""

from cds_service.storage.tables.audit import audit, audit_head
from cds_service.storage.tables.base import UtcDateTime, metadata, utc_text
from cds_service.storage.tables.feedback import feedback, hook_calls, labels, modes
from cds_service.storage.tables.messages import messages
from cds_service.storage.tables.models import model_decisions, shadow_scores
from cds_service.storage.tables.overlay import rare_cases, rare_overlays
from cds_service.storage.tables.people import api_tokens, ended_sessions, users
from cds_service.storage.tables.predictions import erasures, identities, predictions
from cds_service.storage.tables.readings import patient_events, prediction_events, prediction_readings, readings
from cds_service.storage.tables.review import review_marks
from cds_service.storage.tables.rollups import daily_calls, daily_rollups, leases, rollup_days
from cds_service.storage.tables.schema_floor import schema_floor
from cds_service.storage.tables.tokens import client_minutes, tokens
from cds_service.storage.tables.triggers import retrain_triggers

__all__ = [
    "UtcDateTime",
    "api_tokens",
    "audit",
    "audit_head",
    "client_minutes",
    "daily_calls",
    "daily_rollups",
    "ended_sessions",
    "erasures",
    "feedback",
    "hook_calls",
    "identities",
    "labels",
    "leases",
    "messages",
    "metadata",
    "model_decisions",
    "modes",
    "patient_events",
    "prediction_events",
    "prediction_readings",
    "predictions",
    "rare_cases",
    "rare_overlays",
    "readings",
    "retrain_triggers",
    "review_marks",
    "rollup_days",
    "schema_floor",
    "shadow_scores",
    "tokens",
    "users",
    "utc_text",
]
