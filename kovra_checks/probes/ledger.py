"""Answers questions to the ledger through `Access.records`; nothing is contacted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.ledger import ActionFacts, AppliedAction
from kovra_checks.outcome import Question

__all__ = ["ANSWERERS", "action_facts"]


def action_facts(question: ActionFacts, access: Access) -> AppliedAction:
    """The newest record of the action if it stands applied. Raises CouldNotLook if its moment cannot be read."""
    record = access.records.applied(question.action)
    if record is None:
        return AppliedAction(applied=False)
    try:
        at = datetime.fromisoformat(record.at)
    except ValueError:
        raise CouldNotLook(
            f"read when {question.action} was applied",
            seen=f"the ledger says {record.at!r}, which is no ISO 8601 moment",
            remedy="run `kovra-checks verify`: the ledger may be damaged",
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return AppliedAction(applied=True, at=at.astimezone(UTC), facts=dict(record.facts))


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {ActionFacts: action_facts}
