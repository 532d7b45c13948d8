"""A fault: one thing broken in the lab, and who must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kovra_checks.lab.world import World

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the lab.

    Attributes:
        name: Kebab-case.
        breaks: What is broken, in a sentence.
        stage: The stage whose gate must notice.
        checks: Check ids (without subject) that must fail or break in that stage: these, and no other.
        inject: Breaks it, inside the lab's server process.
        moment: `before-actions` of the stage, or `before-observing` (after them).
        verdict: The verdict the run must end with.
        remedy: Words that must stand in the failing check's message or remedy.
        actions: Action ids that must fail instead of, or beside, checks.
    """

    name: str
    breaks: str
    stage: str
    checks: tuple[str, ...]
    inject: Callable[[World], None]
    moment: Literal["before-actions", "before-observing"] = "before-observing"
    verdict: Literal["NO-GO", "INCONCLUSIVE", "ROLLED-BACK"] = "NO-GO"
    remedy: str = ""
    actions: tuple[str, ...] = ()
