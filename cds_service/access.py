"""Who may call which address and run which command: one row each."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.actor import LAUNCHED, ROLES, USER_ROLES, Actor


@dataclass(frozen=True, slots=True)
class Access:
    """What an address or a command demands: nothing where `scope` is None, else one of the roles, and a token's scope.

    `records` is what a command that changes anything is called in the audit log, empty for one that does not.
    """

    scope: str | None
    roles: frozenset[str] = frozenset()
    records: str = ""

    @property
    def is_open(self) -> bool:
        """Whether anyone may call."""
        return self.scope is None

    def admits(self, actor: Actor) -> bool:
        """Whether this caller may call. An admin may do what other people may."""
        is_role = actor.role in self.roles or (actor.role == "admin" and not self.roles.isdisjoint(USER_ROLES))
        return is_role and (actor.scopes is None or self.scope in actor.scopes)


def _to(scope: str, *roles: str) -> Access:
    return Access(scope, frozenset(roles))


def _run(records: str = "", role: str = "operator") -> Access:
    """A command. An operator is whoever holds the settings, the secret key among them; others name themselves too."""
    return Access("command", frozenset({role}), records)


def _page(*roles: str) -> Access:
    """A page of the console: for people who signed in at a browser, never for a token."""
    return Access("page", frozenset(roles))


def _patient_page(*roles: str) -> Access:
    """A page of one patient: for those people, and for whoever comes from that patient in an EHR's record."""
    return Access(next(iter(LAUNCHED)), frozenset(roles))


_OPEN = Access(None)

# Addresses by Flask endpoint, then commands by their words. Discovery and health tell nothing of any patient; counts of
# all tenants are for those who run it.
ACCESS: dict[str, Access] = {
    "hooks.list_services": _OPEN,
    "hooks.call_service": _to("hooks", "client"),
    "feedback.take_feedback": _to("feedback", "client"),
    "fhir.assess_posted_bundle": _to("assess", "client", "clinician"),
    "fhir.read_risk_assessment": _to("read", *ROLES),
    "predictions.predict": _to("predict", "client", "clinician"),
    "predictions.read_prediction": _to("read", *ROLES),
    "predictions.explain_prediction": _to("read", *ROLES),
    "labels.label_prediction": _to("labels", "client", "clinician"),
    "labels.list_labels": _to("read", *ROLES),
    "labels.confirm": _to("labels", "clinician", "steward"),
    "labels.release": _to("labels", "steward"),
    "fhir.rank_posted_bundle": _to("assess", "client", "clinician"),
    "messages.take_message": _to("hl7", "client"),
    "rare.rank_findings": _to("predict", "client", "clinician"),
    "rare.search_findings": _OPEN,
    "models.model_card": _OPEN,
    # Counts of one's own tenant, for those who look after data and service: a clinician needs them for no patient.
    "console.dashboard": _page("steward", "admin"),
    "console.dashboard_series": _page("steward", "admin"),
    "console.models": _page("steward", "admin"),
    "console.model_version": _page("steward", "admin"),
    "console.compare_models": _page("steward", "admin"),
    "console.promote_model": _page("steward", "admin"),
    "console.rollback_model": _page("steward", "admin"),
    "health.livez": _OPEN,
    "health.readyz": _OPEN,
    "health.metrics": _to("metrics", "steward"),
    "openapi.document": _OPEN,
    "console.static": _OPEN,
    "console.login": _OPEN,
    "console.take_login": _OPEN,
    "console.logout": _OPEN,
    "console.launch": _OPEN,
    "console.come_back": _OPEN,
    "console.first_page": _page(*USER_ROLES),
    "console.triage": _page("clinician", "admin"),
    "console.assess_form": _page("clinician", "admin"),
    "console.check_field": _page("clinician", "admin"),
    "console.change_symptoms": _page("clinician", "admin"),
    "console.show_prediction": _patient_page(*USER_ROLES),
    "console.back_to_prediction": _patient_page(*USER_ROLES),
    "console.take_label": _patient_page("clinician", "admin"),
    "console.take_feedback_form": _patient_page("clinician", "admin"),
    "console.rescore_prediction": _patient_page(*USER_ROLES),
    "console.search_diagnoses": _patient_page(*USER_ROLES),
    "console.confirm_rare": _page(*USER_ROLES),
    "console.adjudicate": _page("steward", "admin"),
    "console.review": _page(*USER_ROLES),
    "console.review_case": _page(*USER_ROLES),
    "console.take_answer": _page(*USER_ROLES),
    "console.conflicts": _page("steward", "admin"),
    "console.to_confirm": _page(*USER_ROLES),
    "cds serve": _run(),
    "cds serve-mllp": _run(),
    "cds migrate": _run(),
    "cds check": _run(),
    "cds rollup": _run(),
    "cds messages list": _run(),
    "cds messages senders": _run(),
    "cds messages show": _run("message-read"),
    "cds messages replay": _run("message-again"),
    "cds users add": _run("user-add"),
    "cds users list": _run(),
    "cds users role": _run("user-role"),
    "cds users password": _run("user-password"),
    "cds users disable": _run("user-disable"),
    "cds users enable": _run("user-enable"),
    "cds tokens create": _run("token-create"),
    "cds tokens list": _run(),
    "cds tokens revoke": _run("token-revoke"),
    "cds audit verify": _run(),
    "cds audit head": _run(),
    "cds identity rotate-key": _run("key-rotation"),
    "cds retention": _run("retention"),
    "cds erase": _run("erasure"),
    "cds import-history": _run("history-import"),
    "cds export-labels": _run("labels-export"),
    "cds train": _run("model-trained"),
    "cds retrain": _run("model-trained"),
    "cds rare bench": _run(),
    "cds rare effect": _run(),
    "cds promote": _run("model-promote", "steward"),
    "cds rollback": _run("model-rollback", "steward"),
    "cds shadow": _run("model-shadow", "steward"),
    "cds shadow-report": _run(),
    "cds history": _run(),
    "cds replay": _run("prediction-rescore"),
    "cds mode": _run("mode"),
    "cds demo": _run(),
}
