"""The picture of the move: stages, actions and looking, over real time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from kovra_checks.outcome import Observation
from kovra_checks.report.figure import WIDTH, Figure, Shape, TimeAxis, label, line, rect
from kovra_checks.report.verdict import ActionVerdict, StageVerdict, Verdict
from kovra_checks.units import format_duration

__all__ = ["timeline"]

LEFT = 216.0
RIGHT = WIDTH - 16.0
STAGE_ROW = 30.0
ACTION_ROW = 22.0
LANES = 4
MOST_SPANS = 400
LEGEND = (
    ("k-stage-go", "stage, gate GO"), ("k-stage-no", "gate not GO"), ("k-looking", "questions being put"),
    ("k-applied", "action applied"), ("k-undone", "undone"), ("k-failed", "failed or unknown"),
)  # fmt: skip


def timeline(verdict: Verdict, observations: Mapping[str, Iterable[Observation]]) -> Figure | None:
    """The picture, or None if no stage began.

    Args:
        verdict: The run.
        observations: What was observed, by stage.
    """
    begun = [stage for stage in verdict.stages if stage.started is not None and stage.gate != "not-reached"]
    if not begun:
        return None
    axis = TimeAxis(verdict.started, verdict.ended, LEFT, RIGHT)
    shapes: list[Shape] = []
    y = 8.0
    for stage in begun:
        shapes += _stage(stage, tuple(observations.get(stage.name, ())), axis, y)
        y += STAGE_ROW
        for name, actions in _by_name(verdict.actions, stage.name).items():
            shapes += _actions(name, actions, axis, y)
            y += ACTION_ROW
        y += 6
    took = format_duration(verdict.ended - verdict.started)
    told = [f"{stage.name} {format_duration(_length(stage, verdict))}" for stage in begun]
    return Figure(
        "timeline", "Timeline of the move", f"{took} in all: {', '.join(told)}.", y + 22,
        (*axis.grid(4, y), *shapes), LEGEND,
    )  # fmt: skip


def _length(stage: StageVerdict, verdict: Verdict) -> timedelta:
    assert stage.started is not None
    return (stage.ended or verdict.ended) - stage.started


def _by_name(actions: Iterable[ActionVerdict], stage: str) -> dict[str, list[ActionVerdict]]:
    """Actions that began, under their id without subject: twenty apps share a row."""
    named: dict[str, list[ActionVerdict]] = {}
    for action in actions:
        if action.stage == stage and action.started is not None:
            named.setdefault(action.id.split("[", 1)[0], []).append(action)
    return named


def _stage(stage: StageVerdict, seen: Sequence[Observation], axis: TimeAxis, y: float) -> list[Shape]:
    assert stage.started is not None
    end = stage.ended or axis.end
    style = "stage-go" if stage.gate == "GO" else "stage-no"
    left, right = axis.x(stage.started), axis.x(end)
    took = format_duration(end - stage.started)
    told = f"{stage.name}: {stage.gate}, {took}, {stage.executed} of {stage.expected} checks"
    band = rect(f"stage {style}", left, y + 2, right - left, STAGE_ROW - 4, radius=5, title=told)
    return [
        label("row-stage", 4, y + 20, stage.name),
        band,
        *_looking(seen, axis, y + 7),
        _beside(took, axis, left, right, y + 20),
    ]


def _beside(text: str, axis: TimeAxis, left: float, right: float, y: float) -> Shape:
    """A duration after its bar, or before it where the picture ends."""
    if right + 8 * len(text) < axis.right:
        return label("took", right + 6, y, text)
    return label("took", left - 6, y, text, anchor="end")


def _looking(seen: Sequence[Observation], axis: TimeAxis, y: float) -> list[Shape]:
    """Each question as a thin line from asking to answer, in the first lane that is free."""
    longest = sorted(seen, key=lambda one: one.took, reverse=True)[:MOST_SPANS]
    free: list[datetime] = [axis.start] * LANES
    path: list[str] = []
    for one in sorted(longest, key=lambda one: one.at - timedelta(seconds=one.took)):
        began = one.at - timedelta(seconds=one.took)
        if not axis.holds(one.at):
            continue  # evidence of an earlier run
        lane = min(range(LANES), key=lambda number: free[number])
        free[lane] = one.at
        left = axis.x(began)
        path.append(f"M{left:.1f} {y + 4 * lane + 2:.1f}h{max(axis.x(one.at) - left, 1.5):.1f}")
    return [Shape("path", "looking", {"d": "".join(path)}, title=f"{len(seen)} questions put")] if path else []


def _actions(name: str, actions: Sequence[ActionVerdict], axis: TimeAxis, y: float) -> list[Shape]:
    times = f" ({len(actions)})" if len(actions) > 1 else ""
    shapes = [label("row-action", 16, y + 15, name + times)]
    for action in actions:
        assert action.started is not None
        left, right = axis.x(action.started), axis.x(action.ended or axis.end)
        took = format_duration((action.ended or axis.end) - action.started)
        title = f"{action.id}: {action.state}, {took}"
        shapes.append(rect(f"action {_style(action)}", left, y + 5, right - left, ACTION_ROW - 10, title=title))
        if len(actions) == 1:
            shapes.append(_beside(took, axis, left, right, y + 15))
    return [line("hair", [(LEFT, y + 11), (RIGHT, y + 11)]), *shapes]


def _style(action: ActionVerdict) -> str:
    if action.state in ("applied", "by-hand"):
        return "applied"
    return action.state if action.state in ("undone", "planned") else "failed"
