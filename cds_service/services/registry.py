"""Decisions about models by a person: promote, roll back, score in shadow. Each is a row, and in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from cds_service.domain.decision import NONE, OPTIONAL_TASKS, Action, Decision, Standing, VersionId, standing
from cds_service.errors import BadRequest, CdsError, Conflict
from cds_service.inference.artifact import open_artifact, published
from cds_service.services.credentials import is_password
from cds_service.services.reasons import require_reason
from cds_service.services.seed_models import seed_models
from cds_service.services.verdict import Verdict, read_verdict, require_approval
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.decisions import decide, has_real_patients
from cds_service.storage.people import UserRow
from cds_service.storage.writer import GroupWriter

MAY_DECIDE = frozenset({"steward", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks to be decided, and how they prove who they are; `person` is None where there is none such."""

    task: str
    name: str
    person: UserRow | None
    password: str
    reason: str
    at: datetime

    def __repr__(self) -> str:
        """Without the password."""
        return f"Asked({self.task!r}, {self.name!r})"


@dataclass(frozen=True, slots=True)
class Registry:
    """Where models are published and where decisions are kept."""

    models_dir: Path
    writer: GroupWriter

    def promote(self, asked: Asked, version: str, overrides: Sequence[str]) -> Decision:
        """Put a version in force that the gate approved; Conflict says what stands against it."""
        with self._heard(asked, Action.PROMOTE, version):
            subject = self._loaded(asked.task, version)
            verdict = read_verdict(self.models_dir / asked.task / version, asked.task, subject)
            if _account(verdict.trainer) == _account(asked.name):
                raise Conflict("who trained a version does not promote it: ask somebody else", where="--user")
            require_approval(verdict, overrides)

            def decision(now: Standing) -> Decision:
                if subject == now.in_force:
                    raise Conflict("is in force already", where=f"{asked.task} {version}")
                return _decision(asked, Action.PROMOTE, subject, verdict, tuple(sorted(overrides)))

            return self._decided(asked, decision)

    def rollback(self, asked: Asked) -> Decision:
        """Put the version before in force again, or none where the task can do without; Conflict when none is left."""

        def decision(now: Standing) -> Decision:
            if not now.versions or (len(now.versions) == 1 and asked.task not in OPTIONAL_TASKS):
                raise Conflict("there is no version to go back to", where=asked.task)
            before = now.versions[-2] if len(now.versions) > 1 else VersionId(NONE, NONE)
            if before.version and published(self.models_dir, asked.task, before.version) != before:
                raise Conflict("is not the artifact that was approved", where=f"{asked.task} {before.version}")
            return _decision(asked, Action.ROLLBACK, before)

        with self._heard(asked, Action.ROLLBACK):
            return self._decided(asked, decision)

    def shadow(self, asked: Asked, version: str) -> Decision:
        """Score a version beside the one in force, from the next call on."""
        with self._heard(asked, Action.SHADOW, version):
            subject = self._loaded(asked.task, version)

            def decision(now: Standing) -> Decision:
                if subject in (now.in_force, now.shadow):
                    raise Conflict("is in force or in shadow already", where=f"{asked.task} {version}")
                return _decision(asked, Action.SHADOW, subject)

            return self._decided(asked, decision)

    def unshadow(self, asked: Asked) -> Decision:
        """Score no version beside the one in force any more."""

        def decision(now: Standing) -> Decision:
            if now.shadow is None:
                raise Conflict("no version is in shadow", where=asked.task)
            return _decision(asked, Action.UNSHADOW, now.shadow)

        with self._heard(asked, Action.UNSHADOW):
            return self._decided(asked, decision)

    @contextmanager
    def _heard(self, asked: Asked, action: Action, version: str = "") -> Iterator[None]:
        """Ask who it is first; what is refused is in the audit log as well."""
        try:
            _require_person(asked)
            require_reason(asked.reason)
            yield
        except CdsError as refusal:
            detail = {"decision": action.value, "text": str(refusal)[:200]}
            self.writer.submit_audit(
                AuditEvent(
                    at=asked.at,
                    tenant="",
                    actor=asked.name,
                    action="model-refuse",
                    object_type="model",
                    object_id=f"{asked.task} {version}".strip()[:128],
                    detail=msgspec.json.encode(detail).decode(),
                )
            )
            raise

    def _loaded(self, task: str, version: str) -> VersionId:
        """The version, once it was loaded as a service loads it; ConfigurationError when it cannot be.

        What runs models is imported here: a rollback does not wait for it.
        """
        from cds_service.inference.served import load_model

        subject = published(self.models_dir, task, version)
        load_model(self.models_dir, task, subject)
        return subject

    def _decided(self, asked: Asked, decision: Callable[[Standing], Decision]) -> Decision:
        """The decision that follows from what stands, after its commit."""
        seed_models(self.writer.submit_change, self.models_dir, actor=asked.name, at=asked.at)
        has_real = self.writer.submit_change(has_real_patients)

        def choose(decided: Sequence[Decision]) -> Sequence[Decision]:
            made = decision(standing(decided, asked.task))
            _require_one_artifact(made, decided)
            if has_real and made.action in (Action.PROMOTE, Action.ROLLBACK):
                self._require_real(made)
            return [made]

        [made] = self.writer.submit_change(decide(choose))
        return made

    def _require_real(self, made: Decision) -> None:
        """Conflict where made-up patients taught what would answer for real ones."""
        if made.version and open_artifact(self.models_dir, made.task, made.version).manifest.get("synthetic"):
            raise Conflict("made-up patients taught it, and real ones are here", where=f"{made.task} {made.version}")


def _require_one_artifact(made: Decision, decided: Sequence[Decision]) -> None:
    """Conflict where the name stood for other files before: the version a prediction names is one artifact for ever."""
    before = {one.manifest_digest for one in decided if (one.task, one.version) == (made.task, made.version)}
    if before - {made.manifest_digest}:
        raise Conflict("the name stood for other files before: publish another", where=f"{made.task} {made.version}")


def _require_person(asked: Asked) -> None:
    """BadRequest unless the password is this person's, and they may decide what answers for production's patients."""
    person = asked.person if asked.person is not None and asked.person.disabled_at is None else None
    if not is_password(None if person is None else person.password_hash, asked.password) or person is None:
        raise BadRequest("no such user, or not this password", where="--user")
    if person.role not in MAY_DECIDE or person.environment != "production":
        raise BadRequest("must be a steward or an admin of the production environment", where="--user")


def _decision(
    asked: Asked, action: Action, subject: VersionId, verdict: Verdict | None = None, overrides: tuple[str, ...] = ()
) -> Decision:
    return Decision(
        task=asked.task,
        version=subject.version,
        manifest_digest=subject.digest,
        action=action,
        actor=asked.name,
        at=asked.at,
        reason=require_reason(asked.reason),
        trainer="" if verdict is None else verdict.trainer,
        gate="" if verdict is None else verdict.digest,
        overrides=overrides,
    )


def _account(name: str) -> str:
    """The person behind a name: a command's trainer is the account that ran it."""
    return name.removeprefix("command:").casefold()
