"""Deadline polling; the only sleep in the package."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["pause", "wait_for"]

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Sleep. Everything that waits does it through here."""
    time.sleep(seconds)


def wait_for(look: Callable[[], T | None], *, deadline: float, every: float = 0.25) -> T | None:
    """Call *look* until it returns something or *deadline* seconds have passed; the last answer either way.

    Looks at least once, and once more at the deadline.
    """
    end = time.monotonic() + deadline
    while True:
        seen = look()
        left = end - time.monotonic()
        if seen is not None or left <= 0:
            return seen
        pause(min(every, left))
