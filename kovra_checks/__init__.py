"""Go/no-go checks and gated cutover for moving apps and databases to Kovra Cloud."""

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
