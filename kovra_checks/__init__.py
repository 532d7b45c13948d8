"""Go/no-go checks and gated cutover for moving apps and databases to Kovra Cloud."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kovra_checks.access import Access
    from kovra_checks.actions.base import Action, Plan, Step
    from kovra_checks.errors import ActionFailed, CouldNotLook
    from kovra_checks.migration import App, Database, Domain, Integration, Job, Migration
    from kovra_checks.outcome import Check, Finding, Observations, Question
    from kovra_checks.subjects import AppRequest, CriticalQuery
    from kovra_checks.suite import check

__all__ = [
    "Access",
    "Action",
    "ActionFailed",
    "App",
    "AppRequest",
    "Check",
    "CouldNotLook",
    "CriticalQuery",
    "Database",
    "Domain",
    "Finding",
    "Integration",
    "Job",
    "Migration",
    "Observations",
    "Plan",
    "Question",
    "Step",
    "check",
]

# Looked up when first asked for: pytest loads this package as a plugin wherever it is installed, and then mostly for
# nothing.
HOMES = {
    "Access": "access",
    "Action": "actions.base",
    "ActionFailed": "errors",
    "App": "migration",
    "AppRequest": "subjects",
    "Check": "outcome",
    "CouldNotLook": "errors",
    "CriticalQuery": "subjects",
    "Database": "migration",
    "Domain": "migration",
    "Finding": "outcome",
    "Integration": "migration",
    "Job": "migration",
    "Migration": "migration",
    "Observations": "outcome",
    "Plan": "actions.base",
    "Question": "outcome",
    "Step": "actions.base",
    "check": "suite",
}


def __getattr__(name: str) -> Any:
    """A public name from the module it lives in (PEP 562)."""
    home = HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
