"""What a check is about: the kinds of subject and how the migration enumerates them.

The kind is also the name of the parameter that a check function in `suites/` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kovra_checks.migration import App, Migration, SmokeTest

__all__ = ["SUBJECTS", "AppRequest", "CriticalQuery", "Subject", "subjects"]


@dataclass(frozen=True, slots=True, repr=False)
class AppRequest:
    """One smoke test of one app."""

    app: App
    smoke: SmokeTest

    @property
    def name(self) -> str:
        """`<app>.<smoke test>`: unique, since names hold no dots."""
        return f"{self.app.name}.{self.smoke.name}"

    def __repr__(self) -> str:
        return f"AppRequest({self.name})"


@dataclass(frozen=True, slots=True, repr=False)
class CriticalQuery:
    """One query whose answer must be equal on both sides."""

    database: str
    label: str
    sql: str

    @property
    def name(self) -> str:
        """`<database>.<query>`."""
        return f"{self.database}.{self.label}"

    def __repr__(self) -> str:
        return f"CriticalQuery({self.name})"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject with the id it has in brackets: `ttl-is-low[shop.example.com]`."""

    id: str
    value: Any


def _named(values: tuple[Any, ...]) -> tuple[Subject, ...]:
    return tuple(sorted((Subject(value.name, value) for value in values), key=lambda subject: subject.id))


SUBJECTS: Mapping[str, Callable[[Migration], tuple[Subject, ...]]] = {
    "migration": lambda m: (Subject(m.name, m),),
    "app": lambda m: _named(m.apps),
    "database": lambda m: _named(m.databases),
    "domain": lambda m: _named(m.domains),
    "integration": lambda m: _named(m.integrations),
    "webhook": lambda m: _named(tuple(i for i in m.integrations if i.kind == "webhook")),
    "oauth": lambda m: _named(tuple(i for i in m.integrations if i.kind == "oauth")),
    "job": lambda m: _named(m.jobs),
    "app_request": lambda m: _named(tuple(AppRequest(a, s) for a in m.apps for s in a.smoke)),
    "compared_request": lambda m: _named(tuple(AppRequest(a, s) for a in m.apps for s in a.smoke if s.compare)),
    "critical_query": lambda m: _named(
        tuple(CriticalQuery(d.name, name, sql) for d in m.databases for name, sql in d.critical_queries.items())
    ),
}


def subjects(kind: str, migration: Migration) -> tuple[Subject, ...]:
    """All subjects of *kind*, sorted by id. Empty where the migration has none."""
    return SUBJECTS[kind](migration)
