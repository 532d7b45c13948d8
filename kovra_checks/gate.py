"""The gate: a pure decision from evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["ActionState", "CheckOutcome", "CheckResult", "Decision", "Evidence", "GateState", "decide"]

GateState = Literal["GO", "NO-GO", "INCONCLUSIVE"]
CheckOutcome = Literal["passed", "failed", "broken", "waived", "not-run", "not-reached"]
ActionState = Literal["planned", "applied", "failed", "unknown", "undone", "not-reached", "by-hand"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check came to.

    Attributes:
        id: `id[subject]`.
        outcome: See `CheckOutcome`. `broken` could not look, or it is too early.
        findings: One line each; for `broken` why it could not look.
        until: When it may pass at the earliest, if only time is missing.
    """

    id: str
    outcome: CheckOutcome
    findings: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All a gate may look at.

    Attributes:
        expected: Check ids that had to report, from the configuration and the checklist.
        results: What was reported, by check id.
        actions: State of each action of the stage, by action id.
        deselected: Node ids left out by -k, -m, --deselect and the like.
        stopped: Why the stage ended early (interrupt, crash of the session), or None.
    """

    expected: tuple[str, ...]
    results: Mapping[str, CheckResult]
    actions: Mapping[str, ActionState]
    deselected: tuple[str, ...] = ()
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer. `until` is set when nothing but time is missing."""

    state: GateState
    reasons: tuple[str, ...]
    until: datetime | None = None

    @property
    def is_go(self) -> bool:
        """Only GO opens a gate."""
        return self.state == "GO"


def decide(evidence: Evidence) -> Decision:
    """GO only if every expected check reported and passed or is waived, and no action is failed or unknown.

    Failed checks and actions close the gate (NO-GO); missing, broken or early evidence leaves it undecided
    (INCONCLUSIVE). NO-GO outweighs INCONCLUSIVE. Reasons are complete, in a stable order.
    """
    against: list[str] = []
    missing: list[str] = []
    for action, state in sorted(evidence.actions.items()):
        if state in ("failed", "unknown"):
            against.append(f"action {action}: {state}")
        elif state == "not-reached":
            missing.append(f"action {action}: not reached")
    early: list[datetime] = []
    for check_id in sorted({*evidence.expected, *evidence.results}):
        result = evidence.results.get(check_id)
        outcome = "not-run" if result is None else result.outcome
        first = result.findings[0] if result is not None and result.findings else ""
        if outcome == "failed":
            against.append(f"{check_id}: failed: {first}")
        elif outcome not in ("passed", "waived"):
            missing.append(f"{check_id}: {outcome}" + (f": {first}" if first else ""))
            if result is not None and result.until is not None:
                early.append(result.until)
    if not evidence.expected and not evidence.results:
        missing.append("no check is expected in this stage: an empty list proves nothing")
    missing += [f"deselected: {nodeid}" for nodeid in evidence.deselected]
    if evidence.stopped is not None:
        missing.append(f"stopped: {evidence.stopped}")
    if against:
        return Decision("NO-GO", tuple(against + missing))
    if missing:
        until = max(early) if len(early) == len(missing) else None
        return Decision("INCONCLUSIVE", tuple(missing), until)
    return Decision("GO", ())
