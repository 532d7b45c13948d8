"""Hands work over from the source: scheduled jobs at the cutover, and in the end the source itself is retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from kovra_checks.access import Access
from kovra_checks.actions.base import Plan, Progress, Step
from kovra_checks.errors import ActionFailed, CouldNotLook, UnsafePlan
from kovra_checks.migration import App, Domain, Job
from kovra_checks.outcome import Finding
from kovra_checks.protocols import KovraJob
from kovra_checks.units import format_duration
from kovra_checks.waiting import pause

__all__ = ["HandOverJob", "RetireSource"]


@dataclass(frozen=True, slots=True)
class HandOverJob:
    """Stop the source's process that runs the job, then resume the job on the target: never two owners."""

    job: Job
    app: App
    name: ClassVar[str] = "hand-over-job"
    stage: ClassVar[str] = "cutover"

    @property
    def subject(self) -> str:
        """The job."""
        return self.job.name

    def _target(self, access: Access) -> KovraJob:
        jobs = access.kovra().jobs(self.app.target_name)
        found = next((one for one in jobs if one.name == self.job.name), None)
        if found is None:
            raise CouldNotLook(
                f"job {self.job.name} on Kovra Cloud",
                seen="it does not exist",
                remedy="create it in the provision stage",
            )
        return found

    def _at_source(self, access: Access) -> int:
        """How many processes run it at the source; 0 where no process type is configured."""
        if self.job.source_process is None:
            return 0
        return access.source().app(self.app.source).processes.get(self.job.source_process, 0)

    def plan(self, access: Access) -> Plan:
        """Source process to 0, target job active."""
        count, found = self._at_source(access), self._target(access)
        steps: list[Step] = []
        if count:
            steps.append(Step(f"process {self.job.source_process} of {self.app.source} at the source", str(count), "0"))
        if found.suspended:
            steps.append(Step(f"job {self.job.name} on Kovra Cloud", "suspended", "active"))
        note = (
            ""
            if self.job.source_process is not None
            else (f"jobs.{self.job.name}.source_process is not set: stop the job at the source by hand before this")
        )
        undo = {"source_count": count, "suspended": found.suspended}
        return Plan(f"{self.name}[{self.subject}]", tuple(steps), undo, note=note)

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Stop at the source first: a run that is late is better than one that happens twice."""
        if self._at_source(access) and self.job.source_process is not None:
            progress(f"stopping {self.job.source_process} of {self.app.source} at the source")
            access.source().scale(self.app.source, {self.job.source_process: 0})
        found = self._target(access)
        if found.suspended:
            progress(f"resuming job {self.job.name} on Kovra Cloud")
            access.kovra().put_job(self.app.target_name, replace(found, suspended=False))
        return {"app": self.app.target_name, "source_count": plan.undo.get("source_count", 0)}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """The target alone runs it."""
        count, findings = self._at_source(access), []
        if count:
            findings.append(Finding(f"process {self.job.source_process} at the source ({count}) == 0"))
        if self._target(access).suspended:
            findings.append(Finding(f"job {self.job.name} on Kovra Cloud (suspended) == active"))
        return findings

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Suspend the job on the target if it was, then start the source's processes again."""
        found = self._target(access)
        if undo.get("suspended") and not found.suspended:
            progress(f"suspending job {self.job.name} on Kovra Cloud")
            access.kovra().put_job(self.app.target_name, replace(found, suspended=True))
        count = int(undo.get("source_count", 0))
        if self.job.source_process is not None and count and self._at_source(access) != count:
            progress(f"starting {count} {self.job.source_process} of {self.app.source} at the source")
            access.source().scale(self.app.source, {self.job.source_process: count})


@dataclass(frozen=True, slots=True)
class RetireSource:
    """Scale every process of the source's app to 0 and take its custom domains away, not before the soak is over."""

    app: App
    domains: tuple[Domain, ...]
    name: ClassVar[str] = "retire-source"
    stage: ClassVar[str] = "decommission"

    @property
    def subject(self) -> str:
        """The app."""
        return self.app.name

    def _running(self, access: Access) -> dict[str, int]:
        processes = access.source().app(self.app.source).processes
        return {kind: count for kind, count in sorted(processes.items()) if count}

    def _attached(self, access: Access) -> list[str]:
        ours = {domain.name for domain in self.domains}
        return [domain.name for domain in access.source().domains(self.app.source) if domain.name in ours]

    def plan(self, access: Access) -> Plan:
        """One step for each process type that runs and each of our domains that is attached."""
        running, attached = self._running(access), self._attached(access)
        steps = (
            *(Step(f"process {kind} of {self.app.source} at the source", str(n), "0") for kind, n in running.items()),
            *(Step(f"domain {name} of {self.app.source} at the source", "attached", "removed") for name in attached),
        )
        note = "a removed domain is not brought back by undo: the platform gives it another DNS target"
        return Plan(f"{self.name}[{self.subject}]", steps, {"processes": running}, note=note if attached else "")

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Refuses before the soak is over; waits for it if the policy's patience allows."""
        self._hold_to_soak(access, progress)
        running, attached = self._running(access), self._attached(access)
        if running:
            progress(f"scaling {', '.join(running)} of {self.app.source} to 0")
            access.source().scale(self.app.source, dict.fromkeys(running, 0))
        for name in attached:
            progress(f"removing {name} from {self.app.source}")
            access.source().remove_domain(self.app.source, name)
        return {"app": self.app.source, "processes": plan.undo.get("processes", {}), "domains": attached}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """Nothing runs there and none of our domains is attached."""
        running = [f"process {kind} ({count}) == 0" for kind, count in self._running(access).items()]
        attached = [f"domain {name} (attached) == removed" for name in self._attached(access)]
        return [Finding(f"{self.app.source} at the source: {what}") for what in (*running, *attached)]

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Start the processes again. Domains are not attached again: their DNS target would be another."""
        before = {kind: int(count) for kind, count in undo.get("processes", {}).items()}
        running = self._running(access)
        if before and any(running.get(kind) != count for kind, count in before.items()):
            progress(f"starting {', '.join(before)} of {self.app.source} again")
            access.source().scale(self.app.source, before)

    def _hold_to_soak(self, access: Access, progress: Progress) -> None:
        policy = access.migration.policy
        over = max((self._swapped(access, domain) + policy.soak for domain in self.domains), default=None)
        left = timedelta(0) if over is None else over - datetime.now(UTC)
        if left <= timedelta(0):
            return
        if left > policy.patience:
            raise UnsafePlan(
                f"retire {self.app.source} at the source",
                seen=f"the soak lasts another {format_duration(left)}",
                remedy=f"keep the source until {over} and run the stage again" if over is not None else "",
            )
        progress(f"waiting {format_duration(left)} for the soak to end")
        pause(left.total_seconds())

    def _swapped(self, access: Access, domain: Domain) -> datetime:
        record = access.records.applied(f"swap-record[{domain.name}]")
        if record is None:
            raise ActionFailed(
                f"retire {self.app.source} at the source",
                seen=f"the ledger holds no swap of {domain.name}: when the soak began is not known",
                remedy="retire it by hand, or swap the record with --apply so that its moment is on record",
            )
        at = datetime.fromisoformat(record.at)
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
