"""Questions to the ledger: what this migration's own actions did, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from kovra_checks.outcome import Question

__all__ = ["ActionFacts", "AppliedAction"]


@dataclass(frozen=True, slots=True)
class AppliedAction:
    """What the ledger holds of one action.

    Attributes:
        applied: Whether the action stands applied (and was not undone).
        at: When it ended (UTC); None if it does not stand applied.
        facts: What its `apply` returned, as plain JSON data; empty if it does not stand applied.
    """

    applied: bool
    at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionFacts(Question[AppliedAction]):
    """What did this action do? Not applied is an answer: the change may have been made by hand.

    Attributes:
        action: Action id with subject, e.g. `lower-ttl[shop.example.com]`.
    """

    action: str
    kind: ClassVar[str] = "action-facts"
    answer_type: ClassVar[type] = AppliedAction
