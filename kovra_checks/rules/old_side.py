"""The old side after a rollback: what must be true again before anybody may go to bed."""

from __future__ import annotations

from collections.abc import Iterator

from kovra_checks.migration import Migration, SmokeTest
from kovra_checks.observations import http, routes
from kovra_checks.observations.http import HttpEverywhere
from kovra_checks.outcome import Finding, Observations
from kovra_checks.rules import responses

__all__ = ["judge", "questions"]


def questions(migration: Migration) -> list[HttpEverywhere]:
    """Every domain's own requests, put to the source whatever DNS says."""
    return [question for asked in _asked(migration) for question in asked]


def judge(migration: Migration, seen: Observations) -> Iterator[Finding]:
    """The source serves its users as before the cutover."""
    for asked in _asked(migration):
        yield from responses.same_everywhere([(seen[question], smoke) for question, smoke in asked.items()])


def _asked(migration: Migration) -> list[dict[HttpEverywhere, SmokeTest]]:
    return [
        http.everywhere_for(responses.serving(migration.app(domain.app)), routes.at_source(domain))
        for domain in migration.domains
    ]
