"""Scheduled jobs: on Kovra Cloud they are configured apart from the app, and exactly one side may run each."""

from __future__ import annotations

from kovra_checks.migration import Job
from kovra_checks.observations.platform import JobFacts, Jobs, Processes
from kovra_checks.outcome import Finding

__all__ = ["exists_once"]


def exists_once(job: Job, jobs: Jobs, processes: Processes | None, *, handed_over: bool) -> list[Finding]:
    """The job exists on the target as configured, and the right side alone runs it.

    Args:
        job: As configured.
        jobs: On the target.
        processes: At the source; None when no process type is configured for the job.
        handed_over: Whether the target is to run it now (after the cutover), or still the source.
    """
    found = next((one for one in jobs.jobs if one.name == job.name), None)
    if found is None:
        return [Finding(f"job {job.name} on Kovra Cloud (absent) == scheduled {job.schedule} {job.timezone}")]
    return [*_settings(job, found), *_owner(job, found, processes, handed_over=handed_over)]


def _settings(job: Job, found: JobFacts) -> list[Finding]:
    pairs = (
        ("schedule", found.schedule, job.schedule),
        ("time zone", found.timezone, job.timezone),
        ("command", found.command, job.command),
    )
    return [
        Finding(f"{what} of job {job.name} on Kovra Cloud ({observed}) == {expected}")
        for what, observed, expected in pairs
        if observed != expected
    ]


def _owner(job: Job, found: JobFacts, processes: Processes | None, *, handed_over: bool) -> list[Finding]:
    wanted = "the target alone" if handed_over else "the source alone"
    if processes is None or job.source_process is None:
        return [
            Finding(
                f"who runs job {job.name} (unknown: jobs.{job.name}.source_process is not set) == {wanted}",
                remedy="name the process type that runs it at the source; for a scheduler without an API, look by hand "
                "and waive the check with your name and reason",
            )
        ]
    count = next((one.quantity for one in processes.processes if one.type == job.source_process), 0)
    owners = [f"source process {job.source_process} x{count}"] if count else []
    owners += [] if found.suspended else ["target"]
    right = bool(count) is not handed_over and found.suspended is not handed_over
    if right:
        return []
    return [
        Finding(f"who runs job {job.name} ({' and '.join(owners) or 'nobody'}) == {wanted}", remedy=_remedy(owners))
    ]


def _remedy(owners: list[str]) -> str:
    if len(owners) > 1:
        return "it runs twice: suspend it on the side that must not run it now"
    return "hand it over: stop the source's process, then resume the job on Kovra Cloud" if owners else ""
