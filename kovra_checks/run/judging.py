"""Judges one check against the observations of its stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.errors import KovraChecksError
from kovra_checks.gate import CheckOutcome, CheckResult
from kovra_checks.migration import Waiver
from kovra_checks.outcome import Check, Finding, Observations

__all__ = ["CheckBroken", "CheckFailed", "Judgement", "judge"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A check's result with what an operator reads.

    Attributes:
        result: What the gate sees.
        remedies: What to do, most specific first, without repetition.
        waiver: The waiver in force, if one excused a failure.
    """

    result: CheckResult
    remedies: tuple[str, ...] = ()
    waiver: Waiver | None = None


class CheckFailed(AssertionError):
    """A check with findings. The message is the whole story: pytest prints it without a traceback."""


class CheckBroken(Exception):
    """A check that could not look, or came too early."""


def judge(
    check_id: str, spec: CheckSpec, check: Check, observations: Observations, waivers: Sequence[Waiver], *, today: date
) -> Judgement:
    """Run the rule and turn its findings into an outcome. A waiver in force excuses findings, never blindness."""
    try:
        findings = tuple(check.judge(observations))
    except KovraChecksError as problem:
        return Judgement(CheckResult(check_id, "broken", (f"{problem.tried}: {problem.seen}",)), (problem.remedy,))
    remedies = tuple(dict.fromkeys(remedy for remedy in (*(f.remedy for f in findings), spec.remedy) if remedy))
    if not findings:
        return Judgement(CheckResult(check_id, "passed"))
    messages = tuple(finding.message for finding in findings)
    waiver = next((w for w in waivers if w.check in (check_id, spec.id) and today <= w.until), None)
    if waiver is not None:
        return Judgement(CheckResult(check_id, "waived", messages), remedies, waiver)
    until = _until(findings)
    outcome: CheckOutcome = "failed" if until is None else "broken"
    return Judgement(CheckResult(check_id, outcome, messages, until), remedies)


def _until(findings: Sequence[Finding]) -> datetime | None:
    """The latest moment, if nothing but time is missing."""
    moments = [finding.until for finding in findings if finding.until is not None]
    return max(moments) if len(moments) == len(findings) else None
