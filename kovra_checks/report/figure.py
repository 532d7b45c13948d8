"""What the summary's pictures are made of: shapes on a time axis, as data; the template writes the SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

__all__ = ["WIDTH", "Figure", "Shape", "TimeAxis", "dots", "label", "line", "log_ticks", "rect"]

WIDTH = 1080
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Shape:
    """One SVG element.

    Attributes:
        tag: Its name.
        style: Class names; colours are the style sheet's, so that they follow the light or dark scheme.
        at: Its geometry, as attributes.
        text: Content of a text element.
        title: Shown when pointed at; "" for none.
    """

    tag: Literal["rect", "path", "text"]
    style: str
    at: dict[str, str | float]
    text: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture.

    Attributes:
        name: Its id in the page.
        title: What it shows.
        description: What it says, in words: for those who do not see it.
        height: In the units of `WIDTH`.
        shapes: Back to front.
        legend: Style and words.
        top: Where the picture begins; space above it is left out.
    """

    name: str
    title: str
    description: str
    height: float
    shapes: tuple[Shape, ...]
    legend: tuple[tuple[str, str], ...] = ()
    top: float = 0


def rect(style: str, x: float, y: float, width: float, height: float, *, radius: float = 3, title: str = "") -> Shape:
    """A rectangle that never is too narrow to be seen."""
    at: dict[str, str | float] = {"x": _r(x), "y": _r(y), "width": _r(max(width, 2)), "height": _r(height)}
    return Shape("rect", style, at | {"rx": radius}, title=title)


def line(style: str, points: Sequence[tuple[float, float]], *, title: str = "") -> Shape:
    """A line through *points*; an area if the style fills it."""
    return Shape("path", style, {"d": "M" + "L".join(f"{_r(x)} {_r(y)}" for x, y in points)}, title=title)


def dots(style: str, points: Iterable[tuple[float, float]]) -> Shape:
    """Many dots as one path of zero-length strokes: thousands of elements would make the page slow."""
    return Shape("path", f"dots {style}", {"d": "".join(f"M{_r(x)} {_r(y)}h0" for x, y in points)})


def label(
    style: str, x: float, y: float, text: str, *, anchor: Literal["start", "middle", "end"] = "start", title: str = ""
) -> Shape:
    """A text whose base line begins, is centred or ends at *x*."""
    return Shape("text", style, {"x": _r(x), "y": _r(y), "text-anchor": anchor}, text=text, title=title)


def _r(value: float) -> float:
    return round(value, 1)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Maps moments to x."""

    start: datetime
    end: datetime
    left: float
    right: float

    @property
    def seconds(self) -> float:
        """Length of the axis; never zero."""
        return max((self.end - self.start).total_seconds(), 0.001)

    def x(self, moment: datetime) -> float:
        """Where *moment* is, clamped to the axis."""
        share = (moment - self.start).total_seconds() / self.seconds
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def holds(self, moment: datetime) -> bool:
        """Whether *moment* lies on the axis."""
        return self.start <= moment <= self.end

    def ticks(self) -> list[datetime]:
        """Round moments, eight or so."""
        step = next((step for step in STEPS if self.seconds / step <= 9), math.ceil(self.seconds / 8 / 86400) * 86400)
        first = math.ceil(self.start.timestamp() / step)
        last = math.floor(self.end.timestamp() / step)
        return [datetime.fromtimestamp(number * step, UTC) for number in range(first, last + 1)]

    def grid(self, top: float, bottom: float) -> list[Shape]:
        """Vertical lines with their times below."""
        drawn: list[Shape] = []
        for tick in self.ticks():
            x = self.x(tick)
            drawn.append(line("grid", [(x, top), (x, bottom)]))
            drawn.append(label("tick", x, bottom + 16, self._name(tick), anchor="middle"))
        return drawn

    def _name(self, tick: datetime) -> str:
        if self.seconds > 3 * 86400:
            return f"{tick:%b} {tick.day}"
        if self.seconds > 9 * 3600:
            return f"{tick:%a %H:%M}"
        if self.seconds < 9:
            return f"{tick:%H:%M:%S}.{tick.microsecond // 100_000}"
        return f"{tick:%H:%M:%S}"


def log_ticks(low: float, high: float) -> list[float]:
    """1, 3, 10, 30, … within the bounds."""
    found = [base * 10.0**power for power in range(-2, 8) for base in (1, 3)]
    return [value for value in found if low <= value <= high]
