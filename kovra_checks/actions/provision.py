"""Builds the target: managed databases, applications, external access, jobs. What is there is adopted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from kovra_checks.access import Access
from kovra_checks.actions.base import Plan, Progress, Step
from kovra_checks.errors import ActionFailed, CouldNotLook
from kovra_checks.migration import App, Database, Domain, Job
from kovra_checks.outcome import Finding
from kovra_checks.protocols import KovraApp, KovraDatabase, KovraJob
from kovra_checks.waiting import wait_for

__all__ = ["AttachDomain", "CreateApplication", "CreateDatabase", "CreateJob", "wait_until"]

T = TypeVar("T")


def wait_until(access: Access, look: Callable[[], T | None]) -> T | None:
    """`wait_for` with the policy's action deadline, looking at most 300 times: a control API has rate limits."""
    deadline = access.migration.policy.action_deadline.total_seconds()
    return wait_for(look, deadline=deadline, every=max(0.25, deadline / 300))


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Create the managed database, or adopt the one that is there, and wait until it is ready."""

    database: Database
    name: ClassVar[str] = "create-database"
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The database as the migration names it."""
        return self.database.name

    def plan(self, access: Access) -> Plan:
        """One step if it does not exist or is not ready."""
        target = self.database.target_name
        found = access.kovra().database(target)
        version = self.database.version or "newest"
        steps: tuple[Step, ...] = ()
        if found is None:
            steps = (Step(f"managed database {target}", "absent", f"PostgreSQL {version}, ready"),)
        elif found.status != "ready":
            steps = (Step(f"managed database {target}", found.status, "ready"),)
        return Plan(f"{self.name}[{self.subject}]", steps, {"existed": found is not None})

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Create if absent, then wait. A used-up quota (429) ends it at once."""
        target = self.database.target_name
        if access.kovra().database(target) is None:
            progress(f"creating managed database {target}")
            access.kovra().create_database(target, version=self.database.version)
        ready = self._wait(access, progress)
        return {"database": target, "version": ready.version, "adopted": bool(plan.undo.get("existed"))}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """It is ready."""
        found = access.kovra().database(self.database.target_name)
        status = "absent" if found is None else found.status
        return (
            [] if status == "ready" else [Finding(f"managed database {self.database.target_name} ({status}) == ready")]
        )

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Delete it, unless it was there before."""
        if undo.get("existed", True) or access.kovra().database(self.database.target_name) is None:
            return
        progress(f"deleting managed database {self.database.target_name}")
        access.kovra().delete_database(self.database.target_name)

    def _wait(self, access: Access, progress: Progress) -> KovraDatabase:
        target = self.database.target_name
        told: list[str] = []

        def settled() -> KovraDatabase | None:
            found = access.kovra().database(target)
            status = "absent" if found is None else found.status
            if told[-1:] != [status]:
                told.append(status)
                progress(f"managed database {target}: {status}")
            return found if status in ("ready", "failed") else None

        found = wait_until(access, settled)
        if found is None or found.status != "ready":
            why = "" if found is None or not found.error_message else f": {found.error_message}"
            raise ActionFailed(
                f"wait until managed database {target} is ready",
                seen=f"status {told[-1]}{why} ({' -> '.join(told)})",
                remedy="see it in Kovra's dashboard; when it is ready, run again: it is adopted",
            )
        return found


@dataclass(frozen=True, slots=True)
class CreateApplication:
    """Create the application from the repository that runs at the source, or adopt the one that is there."""

    app: App
    name: ClassVar[str] = "create-application"
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The app as the migration names it."""
        return self.app.name

    def plan(self, access: Access) -> Plan:
        """One step if it does not exist."""
        target = self.app.target_name
        found = access.kovra().app(target)
        if found is not None:
            return Plan(f"{self.name}[{self.subject}]", (), {"existed": True}, note=f"{target} exists and is adopted")
        repository, branch = self._origin(access)
        new = f"{repository} {branch}, health check {self.app.health_path}, port {self.app.port}"
        return Plan(f"{self.name}[{self.subject}]", (Step(f"application {target}", "absent", new),), {"existed": False})

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Create if absent."""
        target = self.app.target_name
        found: KovraApp | None = access.kovra().app(target)
        if found is None:
            repository, branch = self._origin(access)
            progress(f"creating application {target} from {repository}")
            found = access.kovra().create_app(
                target, repository=repository, branch=branch, health_path=self.app.health_path, port=self.app.port
            )
        return {"app": target, "host": found.generated_host, "adopted": bool(plan.undo.get("existed"))}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """It exists."""
        target = self.app.target_name
        return [Finding(f"application {target} (absent) == present")] if access.kovra().app(target) is None else []

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Delete it, unless it was there before."""
        if undo.get("existed", True) or access.kovra().app(self.app.target_name) is None:
            return
        progress(f"deleting application {self.app.target_name}")
        access.kovra().delete_app(self.app.target_name)

    def _origin(self, access: Access) -> tuple[str, str]:
        """Repository and branch: configured, or as the source says."""
        if self.app.repository is not None:
            return self.app.repository, self.app.branch
        source = access.source().app(self.app.source)
        if source.repository is None:
            raise CouldNotLook(
                f"repository of {self.app.source}",
                seen="neither the migration file nor the source names it",
                remedy=f"set apps.{self.app.name}.repository",
            )
        return source.repository, source.branch or self.app.branch


@dataclass(frozen=True, slots=True)
class AttachDomain:
    """Switch external access with TLS on for the domain, or adopt it."""

    domain: Domain
    app: App
    name: ClassVar[str] = "attach-domain"
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The domain."""
        return self.domain.name

    def _attached(self, access: Access) -> bool:
        """Whether it is attached. An app that is still to be created has no domains."""
        kovra = access.kovra()
        if kovra.app(self.app.target_name) is None:
            return False
        return any(one.name == self.domain.name for one in kovra.domains(self.app.target_name))

    def plan(self, access: Access) -> Plan:
        """One step if it is not attached."""
        attached = self._attached(access)
        step = Step(f"external access of {self.app.target_name} for {self.domain.name}", "off", "on, with TLS")
        return Plan(f"{self.name}[{self.subject}]", () if attached else (step,), {"existed": attached})

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Attach if it is not."""
        if not self._attached(access):
            progress(f"attaching {self.domain.name} to {self.app.target_name}")
            access.kovra().attach_domain(self.app.target_name, self.domain.name, tls=True)
        return {"app": self.app.target_name, "adopted": bool(plan.undo.get("existed"))}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """It is attached."""
        return (
            [] if self._attached(access) else [Finding(f"external access for {self.domain.name} (absent) == attached")]
        )

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Detach, unless it was attached before."""
        if undo.get("existed", True) or not self._attached(access):
            return
        progress(f"detaching {self.domain.name}")
        access.kovra().detach_domain(self.app.target_name, self.domain.name)


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the job, suspended: the source still runs it. One that was handed over already stays active."""

    job: Job
    app: App
    name: ClassVar[str] = "create-job"
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The job."""
        return self.job.name

    def _found(self, access: Access) -> KovraJob | None:
        kovra = access.kovra()
        if kovra.app(self.app.target_name) is None:
            return None
        return next((one for one in kovra.jobs(self.app.target_name) if one.name == self.job.name), None)

    def _wanted(self, access: Access) -> KovraJob:
        handed_over = access.records.applied(f"hand-over-job[{self.job.name}]") is not None
        job = self.job
        return KovraJob(job.name, job.schedule, job.timezone, job.command, suspended=not handed_over)

    def plan(self, access: Access) -> Plan:
        """One step if it does not exist, or differs."""
        found, wanted = self._found(access), self._wanted(access)
        steps = () if found == wanted else (Step(f"job {self.job.name}", _job_text(found), _job_text(wanted)),)
        before = None if found is None else _job_data(found)
        return Plan(f"{self.name}[{self.subject}]", steps, {"before": before})

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Write the job if it is not as wanted."""
        wanted = self._wanted(access)
        if self._found(access) != wanted:
            progress(f"writing job {self.job.name}")
            access.kovra().put_job(self.app.target_name, wanted)
        return {"app": self.app.target_name, "adopted": not plan.steps}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - the protocol's
        """It is as wanted."""
        found, wanted = self._found(access), self._wanted(access)
        return [] if found == wanted else [Finding(f"job {wanted.name} ({_job_text(found)}) == {_job_text(wanted)}")]

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Delete it, or bring back what was there before."""
        found, before = self._found(access), undo.get("before")
        if "before" not in undo or found is None:
            return
        progress(f"undoing job {self.job.name}")
        if before is None:
            access.kovra().delete_job(self.app.target_name, self.job.name)
        else:
            access.kovra().put_job(self.app.target_name, KovraJob(**before))


def _job_text(job: KovraJob | None) -> str:
    if job is None:
        return "absent"
    return f"{job.schedule} {job.timezone}, {'suspended' if job.suspended else 'active'}: {job.command}"


def _job_data(job: KovraJob) -> dict[str, Any]:
    return {key: getattr(job, key) for key in ("name", "schedule", "timezone", "command", "suspended")}
