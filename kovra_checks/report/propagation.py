"""The picture of a DNS change: what each authoritative server and resolver showed, over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from kovra_checks.observations.dns import Propagation, Sample, Watched, Watcher
from kovra_checks.outcome import Observation, adapter
from kovra_checks.report.figure import WIDTH, Figure, Shape, TimeAxis, label, line, rect
from kovra_checks.report.latency import Moment, marks
from kovra_checks.units import format_duration

__all__ = ["propagation"]

LEFT = 216.0
RIGHT = WIDTH - 150.0
ROW = 28.0
TOP = 44.0
LEGEND = (
    ("k-old", "old value"), ("k-new", "new value"), ("k-other", "another value"), ("k-nothing", "no answer"),
)  # fmt: skip


def propagation(observations: Iterable[Observation], moments: Sequence[Moment]) -> list[Figure]:
    """One picture per watched name, by name; empty if nothing was watched."""
    figures = []
    for one in observations:
        if one.kind == Propagation.kind and one.answer is not None:
            asked: Propagation = adapter(Propagation).validate_python(one.question)
            seen: Watched = adapter(Watched).validate_python(one.answer)
            if any(watcher.samples for watcher in seen.watchers):
                figures.append(_figure(asked, seen, one.at, moments))
    return sorted(figures, key=lambda figure: figure.name)


def _figure(asked: Propagation, seen: Watched, end: datetime, moments: Sequence[Moment]) -> Figure:
    first = min(watcher.samples[0].at for watcher in seen.watchers if watcher.samples)
    last = max(end, *(watcher.last.at for watcher in seen.watchers if watcher.samples))
    length = (last - first).total_seconds()
    before = [moment.at for moment in moments if 0 <= (first - moment.at).total_seconds() <= max(length, 1.0)]
    axis = TimeAxis(min([first, *before]), last, LEFT, RIGHT)
    bottom = TOP + ROW * len(seen.watchers)
    shapes = axis.grid(TOP - 6, bottom)
    for row, watcher in enumerate(seen.watchers):
        shapes += _lane(asked, seen, watcher, axis, TOP + ROW * row)
    shapes += marks(moments, axis, 20, bottom)
    title = f"{seen.name}: {asked.old} → {asked.target}"
    return Figure(f"propagation-{seen.name}", title, _words(seen, axis.start), bottom + 24, tuple(shapes), LEGEND)


def _state(asked: Propagation, seen: Watched, sample: Sample) -> str:
    if sample.error is not None or not sample.values:
        return "nothing"
    if set(sample.values) == set(seen.wanted):
        return "new"
    return "old" if asked.old.rstrip(".").lower() in sample.values else "other"


def _lane(asked: Propagation, seen: Watched, watcher: Watcher, axis: TimeAxis, y: float) -> list[Shape]:
    kind = "authoritative" if watcher.kind == "authoritative" else "resolver"
    shapes = [
        label("row-action", 4, y + 16, watcher.server, title=f"{kind} {watcher.server}"),
        label("tick", LEFT - 10, y + 16, kind, anchor="end"),
        line("hair", [(LEFT, y + 11), (RIGHT, y + 11)]),
    ]
    if not watcher.samples:
        return shapes
    for start, end, sample in _spells(asked, seen, watcher, axis.end):
        state = _state(asked, seen, sample)
        told = ", ".join(sample.values) or sample.error or "nothing"
        ttl = "" if sample.ttl is None else f", TTL {sample.ttl} s"
        title = f"{watcher.server}: {told}{ttl}, from {start:%H:%M:%S} for {format_duration(end - start)}"
        shapes.append(rect(state, axis.x(start), y + 4, axis.x(end) - axis.x(start), ROW - 14, radius=0, title=title))
    return [*shapes, label("took", RIGHT + 10, y + 16, _arrival(seen, watcher, axis.start))]


def _spells(
    asked: Propagation, seen: Watched, watcher: Watcher, end: datetime
) -> Iterable[tuple[datetime, datetime, Sample]]:
    """Stretches of time in which the server showed the same, each until the next look that differs."""
    turns = [watcher.samples[0]]
    for before, after in pairwise(watcher.samples):
        if _state(asked, seen, before) != _state(asked, seen, after):
            turns.append(after)
    for turn, until in zip(turns, [*(turn.at for turn in turns[1:]), end], strict=True):
        yield turn.at, until, turn


def _arrived(seen: Watched, watcher: Watcher) -> datetime | None:
    """The first look of the last unbroken row that shows the new value, or None if the last look does not."""
    arrived = None
    for sample in reversed(watcher.samples):
        if sample.error is not None or set(sample.values) != set(seen.wanted):
            break
        arrived = sample.at
    return arrived


def _arrival(seen: Watched, watcher: Watcher, start: datetime) -> str:
    arrived = _arrived(seen, watcher)
    return "not seen to change" if arrived is None else f"new after {format_duration(arrived - start)}"


def _words(seen: Watched, start: datetime) -> str:
    arrivals = [_arrived(seen, watcher) for watcher in seen.watchers]
    there = [arrived for arrived in arrivals if arrived is not None]
    ended = {
        "everywhere": "The watch ended when every place showed the new value.",
        "deadline": "The watch ended at its deadline.",
        "settled-elsewhere": "The watch ended because all authoritative servers agree on another value.",
    }[seen.ended]
    last = f", the last after {format_duration(max(there) - start)}" if there else ""
    return f"{len(there)} of {len(arrivals)} places came to show {', '.join(seen.wanted)}{last}. {ended}"
