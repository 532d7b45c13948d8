"""The eight stages, in order, and how to tell the stage of a pytest node id.

The controller of a distributed run knows node ids only, so the stage must be readable from the path.
"""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["STAGES", "earlier", "position", "stage_of"]

STAGES = (
    "readiness",
    "provision",
    "database",
    "pitfalls",
    "precutover",
    "cutover",
    "postcutover",
    "decommission",
)


def position(stage: str) -> int:
    """The place of *stage* in the move, from 0. Raises ValueError for an unknown stage."""
    return STAGES.index(stage)


def earlier(stage: str) -> tuple[str, ...]:
    """The stages whose gates must stand open before *stage* may act."""
    return STAGES[: position(stage)]


def stage_of(nodeid: str) -> str | None:
    """The stage folder in *nodeid* (`suites/<stage>/…`, or `<stage>/…` below it), or None.

    The folder nearest to the file wins, so a checkout that happens to lie in a folder named like a stage is harmless.
    """
    for part in reversed(PurePosixPath(nodeid.split("::", 1)[0]).parts):
        if part in STAGES:
            return part
    return None
