"""An action: one change to the world, plan -> apply -> verify -> undo."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kovra_checks.access import Access
from kovra_checks.outcome import Finding, canonical_json

__all__ = ["Action", "Plan", "Progress", "Step", "checksum"]

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan: *what* changes, from *old* to *new*. No secret values: name them, or say `(secret)`."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do, found out by reading only.

    Attributes:
        action: Action id with subject.
        steps: The changes; empty when the world is already as wanted (apply is then a no-op that adopts it).
        undo: Facts undo needs and that must be in the ledger *before* apply begins (old records, old counts).
        note: Anything the operator should know, e.g. an estimate.
    """

    action: str
    steps: tuple[Step, ...]
    undo: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def checksum(plans: Sequence[Plan]) -> str:
    """What `--apply --plan SHA` pins: SHA-256 over actions and steps, first 12 hex digits."""
    told = [[plan.action, [[step.what, step.old, step.new] for step in plan.steps]] for plan in plans]
    return hashlib.sha256(canonical_json(told).encode()).hexdigest()[:12]


class Action(Protocol):
    """One change to one subject. Made without I/O from the migration; everything else happens in its methods.

    `apply` must be idempotent at its seams: it is never retried blindly, but after a crash `observe` decides whether it
    had happened, and it may then be applied again from the start.
    """

    @property
    def name(self) -> str:
        """Kebab-case id without subject, e.g. `swap-record`."""

    @property
    def subject(self) -> str:
        """What it acts on, e.g. `shop.example.com`."""

    @property
    def stage(self) -> str:
        """The stage that owns it."""

    def plan(self, access: Access) -> Plan:
        """What would change, by looking only. Raises CouldNotLook."""

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Change the world. Returns facts for the ledger (no secrets). Raises ActionFailed."""

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """Look whether the effect is there; findings if not. Also how an unfinished action is observed on resume."""

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Bring the world back from `plan.undo`. Safe to call when nothing had happened. Raises ActionFailed."""
