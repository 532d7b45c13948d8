"""The picture of the traffic: how long requests took, which side answered, what failed, before and after the swap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kovra_checks.report.figure import WIDTH, Figure, Shape, TimeAxis, dots, label, line, log_ticks, rect
from kovra_checks.report.traffic import Request, old_addresses
from kovra_checks.units import format_duration

__all__ = ["Moment", "latency"]

LEFT = 92.0
RIGHT = WIDTH - 16.0
TOP, BOTTOM = 92.0, 312.0  # of the plot
LANE_FAILED = 56.0
SHARE = 330.0  # top of the strip that shows who answers
MOST_DOTS = 3000
BUCKETS = 90
WHOLE = timedelta(minutes=5)
LEGEND = (
    ("k-old", "answered by the old side"), ("k-new", "by the new side"), ("k-median", "median"),
    ("k-spread", "up to the 95th percentile"), ("k-deferred", "write told to come back"), ("k-lost", "failed"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one time and is marked in pictures."""

    at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class _Levels:
    """Maps milliseconds to y, by logarithm."""

    low: float
    high: float

    def y(self, ms: float) -> float:
        share = math.log(min(max(ms, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return BOTTOM - (BOTTOM - TOP) * share


def latency(requests: Sequence[Request], moments: Sequence[Moment], swapped: datetime | None) -> Figure | None:
    """The picture, or None without requests. A long watch is drawn around the moments only."""
    if not requests:
        return None
    axis = _axis(requests, moments)
    drawn = [request for request in requests if axis.holds(request.at)]
    if not drawn:
        return None
    old = old_addresses(requests, swapped)
    levels = _levels(drawn)
    shapes = [*axis.grid(TOP, SHARE + 26), *_level_lines(levels)]
    shapes += [*_spread(drawn, axis, levels), *_scatter(drawn, old, axis, levels)]
    shapes += [*_lanes(drawn, axis), *_share(drawn, old, axis), *marks(moments, axis, 18, SHARE + 26)]
    title = "Requests during the run" if swapped is None else "Requests around the swap"
    words = _words(requests, drawn, swapped)
    return Figure("traffic", title, words, SHARE + 50, tuple(shapes), LEGEND, 0 if moments else LANE_FAILED - 18)


def _axis(requests: Sequence[Request], moments: Sequence[Moment]) -> TimeAxis:
    start, end = requests[0].at, requests[-1].at
    inside = [moment.at for moment in moments if start <= moment.at <= end]
    if inside and end - start > WHOLE:
        pad = max(WHOLE / 2, 2 * (max(inside) - min(inside)))
        start, end = max(start, min(inside) - pad), min(end, max(inside) + pad)
    return TimeAxis(start, end, LEFT, RIGHT)


def _levels(drawn: Sequence[Request]) -> _Levels:
    times = [max(ms, 0.1) for ms in _times(drawn)] or [1.0]
    return _Levels(10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max([*times, 10.1]))))


def _times(requests: Iterable[Request]) -> list[float]:
    return [request.ms for request in requests if request.ms is not None]


def _level_lines(levels: _Levels) -> list[Shape]:
    shapes: list[Shape] = []
    for ms in log_ticks(levels.low, levels.high):
        name = f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g} ms"
        shapes.append(line("grid", [(LEFT, levels.y(ms)), (RIGHT, levels.y(ms))]))
        shapes.append(label("tick", LEFT - 8, levels.y(ms) + 4, name, anchor="end"))
    return shapes


def _buckets(drawn: Sequence[Request], axis: TimeAxis) -> dict[int, list[Request]]:
    found: dict[int, list[Request]] = {}
    for request in drawn:
        place = (request.at - axis.start).total_seconds() / axis.seconds
        found.setdefault(min(int(place * BUCKETS), BUCKETS - 1), []).append(request)
    return dict(sorted(found.items()))


def _centre(bucket: float, axis: TimeAxis) -> float:
    return axis.left + (axis.right - axis.left) * (bucket + 0.5) / BUCKETS


def _spread(drawn: Sequence[Request], axis: TimeAxis, levels: _Levels) -> list[Shape]:
    middle: list[tuple[float, float]] = []
    upper: list[tuple[float, float]] = []
    for bucket, requests in _buckets(drawn, axis).items():
        times = sorted(_times(request for request in requests if not request.deferred))
        if times:
            x = _centre(bucket, axis)
            middle.append((x, levels.y(times[len(times) // 2])))
            upper.append((x, levels.y(times[min(len(times) * 95 // 100, len(times) - 1)])))
    if len(middle) < 2:
        return []
    return [line("spread", [*upper, *reversed(middle)]), line("median", middle)]


def _scatter(drawn: Sequence[Request], old: frozenset[str], axis: TimeAxis, levels: _Levels) -> list[Shape]:
    plain = [
        (request, request.ms) for request in drawn if request.ok and not request.deferred and request.ms is not None
    ]
    every = max(1, math.ceil(len(plain) / MOST_DOTS))
    sides: dict[str, list[tuple[float, float]]] = {"old": [], "new": []}
    for request, ms in plain[::every]:
        sides["old" if request.address in old else "new"].append((axis.x(request.at), levels.y(ms)))
    return [dots(side, points) for side, points in sides.items() if points]


def _lanes(drawn: Sequence[Request], axis: TimeAxis) -> list[Shape]:
    """Failures and deferred writes on lanes of their own, all of them: they must not drown in the cloud."""
    shapes = []
    for name, style, y, those in (
        ("failed", "lost", LANE_FAILED, [request for request in drawn if not request.ok]),
        ("deferred", "deferred", LANE_FAILED + 18, [request for request in drawn if request.deferred]),
    ):
        shapes.append(label("tick", LEFT - 8, y + 4, f"{name} {len(those)}", anchor="end"))
        shapes.append(line("hair", [(LEFT, y), (RIGHT, y)]))
        shapes += [_cross(style, axis.x(one.at), y, f"{one.at:%H:%M:%S} {one.told}") for one in those[:MOST_DOTS]]
    return shapes


def _cross(style: str, x: float, y: float, title: str) -> Shape:
    if style == "lost":
        return Shape("path", style, {"d": f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"}, title=title)
    return Shape("path", style, {"d": f"M{x:.1f} {y - 5:.1f}v10"}, title=title)


def _share(drawn: Sequence[Request], old: frozenset[str], axis: TimeAxis) -> list[Shape]:
    """Who answers, per slice of time."""
    width = (axis.right - axis.left) / BUCKETS
    shapes = [label("tick", LEFT - 8, SHARE + 16, "who answers", anchor="end")]
    for bucket, requests in _buckets(drawn, axis).items():
        answered = [request for request in requests if request.address is not None]
        if not answered:
            continue
        x = axis.left + bucket * width
        share = sum(request.address in old for request in answered) / len(answered)
        title = f"{share:.0%} old side, {1 - share:.0%} new side, {len(requests)} requests"
        if share:
            shapes.append(rect("old", x, SHARE, width - 0.6, 22 * share, radius=0, title=title))
        if share < 1:
            shapes.append(rect("new", x, SHARE + 22 * share, width - 0.6, 22 * (1 - share), radius=0, title=title))
    return shapes


def marks(moments: Sequence[Moment], axis: TimeAxis, top: float, bottom: float) -> list[Shape]:
    """A vertical line per moment, its name above; close ones one below the other."""
    shapes: list[Shape] = []
    taken = [-math.inf, -math.inf]
    for moment in sorted(moments, key=lambda moment: moment.at):
        if not axis.holds(moment.at):
            continue
        x = axis.x(moment.at)
        row = 0 if x > taken[0] else 1
        flip = x + 7.0 * len(moment.name) > axis.right
        taken[row] = x + 7.0 * len(moment.name) + 14
        y = top - 6 + 15 * row
        shapes.append(line("moment", [(x, y - 10), (x, bottom)], title=f"{moment.name} at {moment.at:%H:%M:%S}"))
        shapes.append(label("moment-name", x - 5 if flip else x + 5, y, moment.name, anchor="end" if flip else "start"))
    return shapes


def _words(requests: Sequence[Request], drawn: Sequence[Request], swapped: datetime | None) -> str:
    failed = sum(not request.ok for request in requests)
    deferred = sum(request.deferred for request in requests)
    times = sorted(_times(request for request in requests if not request.deferred))
    said = [f"{len(requests)} requests, {failed} failed, {deferred} writes told to come back and repeated."]
    if times:
        said.append(f"Median {times[len(times) // 2]:.0f} ms, 95th percentile {times[len(times) * 95 // 100]:.0f} ms.")
    if swapped is not None:
        late = _times(one for one in requests if one.at >= swapped and one.ok and not one.deferred)
        if late:
            said.append(f"After the swap the median is {sorted(late)[len(late) // 2]:.0f} ms.")
    if len(drawn) < len(requests):
        span = format_duration(requests[-1].at - requests[0].at)
        said.append(f"Drawn: {len(drawn)} of them around the swap, out of {span} of watching.")
    return " ".join(said)
