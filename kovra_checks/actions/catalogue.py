"""The built-in actions of each stage, in the order in which they are performed."""

from __future__ import annotations

from kovra_checks.actions import database, dns, platform
from kovra_checks.actions.base import Action
from kovra_checks.migration import Migration

__all__ = ["builtin_actions"]


def builtin_actions(migration: Migration, stage: str) -> tuple[Action, ...]:
    """Actions of *stage*.

    In the cutover the order is what keeps data safe: writes are fenced, the data is brought up to date, jobs change
    hands, and only then do the records send users to the new side.
    """
    return (
        *platform.actions(migration, stage),
        *database.actions(migration, stage),
        *(platform.cutover_actions(migration) if stage == "cutover" else ()),
        *dns.actions(migration, stage),
    )
