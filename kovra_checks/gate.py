"""The gate: a pure decision from evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["ActionState", "CheckOutcome", "CheckResult", "Decision", "Evidence", "GateState", "decide"]

GateState = Literal["GO", "NO-GO", "INCONCLUSIVE"]
CheckOutcome = Literal["passed", "failed", "broken", "waived", "not-run", "not-reached"]
ActionState = Literal["planned", "applied", "failed", "unknown", "undone", "not-reached", "by-hand"]
CLOSING = ("failed", "unknown")


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
    results = [evidence.results.get(check_id) or CheckResult(check_id, "not-run") for check_id in _all_ids(evidence)]
    against = [f"action {action}: {state}" for action, state in sorted(evidence.actions.items()) if state in CLOSING]
    against += [_told(result) for result in results if result.outcome == "failed"]
    unsure = [result for result in results if result.outcome not in ("passed", "waived", "failed")]
    missing = [*map(_told, unsure), *_gaps(evidence)]
    if against:
        return Decision("NO-GO", tuple(against + missing))
    if missing:
        early = [result.until for result in unsure if result.until is not None]
        return Decision("INCONCLUSIVE", tuple(missing), max(early) if len(early) == len(missing) else None)
    return Decision("GO", ())


def _all_ids(evidence: Evidence) -> list[str]:
    return sorted({*evidence.expected, *evidence.results})


def _told(result: CheckResult) -> str:
    return ": ".join([result.id, result.outcome, *result.findings[:1]])


def _gaps(evidence: Evidence) -> Iterator[str]:
    """What keeps the evidence from being whole, apart from single checks."""
    for action, state in sorted(evidence.actions.items()):
        if state == "not-reached":
            yield f"action {action}: not reached"
    if not _all_ids(evidence):
        yield "no check is expected in this stage: an empty list proves nothing"
    for nodeid in evidence.deselected:
        yield f"deselected: {nodeid}"
    if evidence.stopped is not None:
        yield f"stopped: {evidence.stopped}"
