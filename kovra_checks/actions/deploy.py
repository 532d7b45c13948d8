"""Deploys the commit that runs at the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from kovra_checks.access import Access
from kovra_checks.actions.base import Plan, Progress, Step
from kovra_checks.actions.provision import wait_until
from kovra_checks.errors import ActionFailed, CouldNotLook
from kovra_checks.migration import App
from kovra_checks.outcome import Finding
from kovra_checks.rules.apps import same_commit

__all__ = ["DeployApplication"]

SUCCEEDED = ("success", "succeeded")
FAILED = ("failed", "canceled", "cancelled", "error")


@dataclass(frozen=True, slots=True)
class DeployApplication:
    """Deploy the commit that runs at the source, and wait until it runs."""

    app: App
    name: ClassVar[str] = "deploy-application"
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The app."""
        return self.app.name

    def plan(self, access: Access) -> Plan:
        """One step if another commit runs, or variables changed since the last deployment."""
        wanted, found = self._commit(access), access.kovra().app(self.app.target_name)
        running = None if found is None else found.commit
        reason = "" if not same_commit(running, wanted) else self._stale(access)
        steps: tuple[Step, ...] = ()
        if not same_commit(running, wanted) or reason:
            old = (running or "not deployed") + (f", {reason}" if reason else "")
            steps = (Step(f"deployment of {self.app.target_name}", old, wanted),)
        return Plan(f"{self.name}[{self.subject}]", steps, {"commit": running})

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Deploy if there is a reason to, and wait until it succeeded."""
        commit, target = self._commit(access), self.app.target_name
        if not plan.steps:
            return {"app": target, "commit": commit, "adopted": True}
        progress(f"deploying {commit[:12]} to {target}")
        deployment = access.kovra().deploy(target, commit=commit)
        self._wait(access, deployment, progress)
        return {"app": target, "commit": commit, "deployment": deployment}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The commit runs, with the variables as they are."""
        wanted, found = self._commit(access), access.kovra().app(self.app.target_name)
        running = None if found is None else found.commit
        what = f"commit of {self.app.target_name} on Kovra Cloud"
        if not same_commit(running, wanted):
            return [Finding(f"{what} ({running}) == {wanted}")]
        stale = self._stale(access)
        return [Finding(f"{what} ({stale}) == deployed with them")] if stale and "deployment" not in facts else []

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Deploy the commit that ran before; where none ran there is nothing to go back to."""
        before, found = undo.get("commit"), access.kovra().app(self.app.target_name)
        if before is None or found is None or same_commit(found.commit, before):
            return
        progress(f"deploying {before[:12]} to {self.app.target_name} again")
        self._wait(access, access.kovra().deploy(self.app.target_name, commit=before), progress)

    def _commit(self, access: Access) -> str:
        commit = self.app.commit if self.app.commit is not None else access.source().app(self.app.source).commit
        if commit is None:
            raise CouldNotLook(
                f"commit of {self.app.source} at the source",
                seen="the platform does not say which commit runs",
                remedy=f"set apps.{self.app.name}.commit",
            )
        return commit

    def _stale(self, access: Access) -> str:
        """Why the running deployment lacks the newest variables, by the ledger; empty when it does not."""
        deployed = access.records.applied(f"{self.name}[{self.subject}]")
        for action in ("copy-variables", "point-app-at-database"):
            changed = access.records.applied(f"{action}[{self.subject}]")
            if changed is None or not changed.facts.get("changed"):
                continue
            if deployed is None or datetime.fromisoformat(changed.at) > datetime.fromisoformat(deployed.at):
                return "variables changed since"
        return ""

    def _wait(self, access: Access, deployment: str, progress: Progress) -> None:
        target = self.app.target_name
        told: list[str] = []

        def settled() -> str | None:
            status = access.kovra().deployment_status(target, deployment)
            if told[-1:] != [status]:
                told.append(status)
                progress(f"deployment of {target}: {status}")
            return status.lower() if status.lower() in (*SUCCEEDED, *FAILED) else None

        if wait_until(access, settled) not in SUCCEEDED:
            raise ActionFailed(
                f"deploy {target} on Kovra Cloud",
                seen=f"deployment {deployment}: {' -> '.join(told)}",
                remedy="read its build log in Kovra's dashboard, mend the cause and run again",
            )
