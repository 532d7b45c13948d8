"""What the summary says, in words: prepared here, so that the template only lays it out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from kovra_checks.migration import Waiver
from kovra_checks.report.verdict import ActionVerdict, CheckVerdict, StageVerdict, Verdict
from kovra_checks.stages import STAGES
from kovra_checks.units import format_duration

__all__ = [
    "TONE",
    "Card",
    "Cell",
    "Group",
    "cards",
    "cells",
    "duration",
    "excused",
    "groups",
    "moment",
    "notes",
    "rerun",
    "scope",
    "sentence",
    "took",
]

TONE = {
    "GO": "go", "NO-GO": "no", "INCONCLUSIVE": "wait", "ROLLED-BACK": "back", "STOPPED": "no", "UNKNOWN": "no",
    "not-reached": "dim", "passed": "go", "failed": "no", "broken": "wait", "waived": "back", "not-run": "wait",
    "applied": "go", "by-hand": "go", "planned": "dim", "undone": "back", "unknown": "no",
}  # fmt: skip
LOOK = {
    "unknown": "See whether its effect is there (kovra-checks status), then complete or undo it.",
    "failed": "See kovra-checks status for what the ledger holds of it.",
}
KEYWORD = re.compile(r"^[\w.+\-\[\]]+$")  # what pytest's -k takes without quoting


@dataclass(frozen=True, slots=True)
class Cell:
    """One stage in the strip. `state` is `not asked` outside the scope."""

    number: int
    name: str
    state: str
    tone: str
    told: str


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that stands against GO, with what to do about it. `command` re-runs it alone; "" if nothing can."""

    title: str
    id: str
    stage: str
    state: str
    tone: str
    severity: str
    findings: tuple[str, ...]
    remedy: str
    guide: str
    until: str
    command: str


@dataclass(frozen=True, slots=True)
class Group:
    """A stage's checks in the table. `counts` is tone and words, worst first."""

    stage: str
    checks: tuple[CheckVerdict, ...]
    counts: tuple[tuple[str, str], ...]
    open: bool


def moment(at: datetime | None) -> str:
    """A moment as people read it, in UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def scope(verdict: Verdict) -> str:
    """What was asked for: `the whole move`, or the stages."""
    return "the whole move" if verdict.scope == STAGES else ", ".join(verdict.scope)


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _count(verdict: Verdict, *outcomes: str) -> int:
    return sum(check.outcome in outcomes for check in verdict.checks)


def sentence(verdict: Verdict) -> str:
    """The verdict in one or two sentences."""
    failed, missing = _count(verdict, "failed"), _count(verdict, "broken", "not-run", "not-reached")
    if verdict.verdict == "GO":
        waived = _count(verdict, "waived")
        said = f"All {_number(_count(verdict, 'passed'), 'expected check')} passed"
        return f"{said}, {waived} excused by a waiver." if waived else f"{said}."
    if verdict.verdict == "NO-GO":
        acted = sum(action.state == "failed" for action in verdict.actions)
        against = [_number(failed, "check")] * bool(failed) + [_number(acted, "action")] * bool(acted)
        return f"{' and '.join(against) or 'A gate'} failed. Do not go on until what stands below is put right."
    if verdict.verdict == "INCONCLUSIVE":
        if verdict.until is not None:
            return f"Nothing but time is missing. It may be GO from {moment(verdict.until)}."
        return f"{_number(missing, 'check')} gave no evidence. What was not seen does not count as passed."
    return {
        "ROLLED-BACK": "The cutover's own checks failed, so the swap was undone. Users are sent to the old side again.",
        "STOPPED": "Stopped in the middle of the cutover. What was done is listed below: decide, then go on or back.",
        "UNKNOWN": "An action began and has no recorded end. Look at the world before anything else is done.",
    }[verdict.verdict]


def cells(verdict: Verdict) -> list[Cell]:
    """All eight stages, asked for or not."""
    known = {stage.name: stage for stage in verdict.stages}
    return [_cell(number, name, known.get(name)) for number, name in enumerate(STAGES, start=1)]


def _cell(number: int, name: str, stage: StageVerdict | None) -> Cell:
    if stage is None:
        return Cell(number, name, "not asked", "dim", "outside this run's scope")
    state = stage.gate.replace("-", " ") if stage.gate == "not-reached" else stage.gate
    return Cell(number, name, state, TONE[stage.gate], f"{stage.executed} of {stage.expected} checks reported")


def rerun(check: CheckVerdict, *, rehearsal: bool) -> str:
    """The command that looks at this check alone. It cannot open a gate, which wants the whole stage."""
    name = check.id.replace("-", "_")
    word = f"{name}[{check.subject}]"
    chosen = word if KEYWORD.match(word) else name
    return f"pytest suites/{check.stage} -k '{chosen}'{' --rehearse' if rehearsal else ''}"


def cards(verdict: Verdict) -> list[Card]:
    """What needs doing: failed actions and failed checks first, then what could not be seen, in order of the stages."""
    acted = [_action_card(action) for action in verdict.actions if action.state in ("failed", "unknown")]
    wanted = [check for check in verdict.checks if check.outcome in ("failed", "broken", "not-run")]
    rank = {"failed": 0, "broken": 1, "not-run": 2}
    severity = {"blocker": 0, "critical": 1, "normal": 2}
    wanted.sort(key=lambda check: (rank[check.outcome], STAGES.index(check.stage), severity[check.severity]))
    return [*acted, *(_check_card(check, verdict) for check in wanted)]


def _check_card(check: CheckVerdict, verdict: Verdict) -> Card:
    state = "too early" if check.until is not None else check.outcome.replace("-", " ")
    return Card(
        check.title, check.full_id, check.stage, state, TONE[check.outcome], check.severity, check.findings,
        check.remedy, check.guide, moment(check.until), rerun(check, rehearsal=verdict.rehearsal),
    )  # fmt: skip


def _action_card(action: ActionVerdict) -> Card:
    lines = tuple(line.strip().removeprefix("- ") for line in action.message.splitlines() if line.strip())
    remedy = next((line.partition(": ")[2] for line in lines if line.startswith("what to do: ")), LOOK[action.state])
    findings = tuple(line for line in lines if not line.startswith("what to do: ") and line != f"{action.id} failed")
    return Card(
        f"Action {action.id}", action.id, action.stage, action.state, TONE[action.state], "blocker",
        findings, remedy, "", "", "",
    )  # fmt: skip


def notes(verdict: Verdict) -> list[str]:
    """Reasons of gates that are neither a check's nor an action's, and how much was never reached."""
    named = {check.full_id for check in verdict.checks}
    found = [
        f"{stage.name}: {reason}"
        for stage in verdict.stages
        for reason in stage.reasons
        if reason.split(": ", 1)[0] not in named and not reason.startswith("action ")
    ]
    for stage in verdict.stages:
        missed = sum(check.stage == stage.name and check.outcome == "not-reached" for check in verdict.checks)
        if missed:
            found.append(f"{stage.name}: {_number(missed, 'check')} not reached, because an earlier gate is not open")
    return found


def groups(verdict: Verdict) -> list[Group]:
    """All checks by stage. Stages with anything but passed checks stand open."""
    return [
        _group(stage.name, (check for check in verdict.checks if check.stage == stage.name)) for stage in verdict.stages
    ]


def _group(stage: str, checks: Iterable[CheckVerdict]) -> Group:
    found = tuple(sorted(checks, key=lambda check: (check.outcome == "passed", check.full_id)))
    order = ("failed", "broken", "not-run", "not-reached", "waived", "passed")
    counted = ((outcome, sum(check.outcome == outcome for check in found)) for outcome in order)
    counts = tuple((TONE[outcome], f"{count} {outcome.replace('-', ' ')}") for outcome, count in counted if count)
    return Group(stage, found, counts, any(check.outcome not in ("passed", "not-reached") for check in found))


def duration(start: datetime | None, end: datetime | None) -> str:
    """How long it took; "" if it has no start or no end."""
    return "" if start is None or end is None else format_duration(end - start)


def took(check: CheckVerdict) -> str:
    """How long a check took, as people read it."""
    return "" if check.took is None else format_duration(check.took)


def excused(waiver: Waiver, verdict: Verdict) -> str:
    """Which checks the waiver excused in this run."""
    used = [
        f"{check.stage}: {check.full_id}"
        for check in verdict.checks
        if check.outcome == "waived" and waiver.check in (check.id, check.full_id)
    ]
    return f"excused {', '.join(used)}" if used else "not needed"
