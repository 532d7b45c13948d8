"""The extension API: hook specifications. Implement them in the conftest.py where pytest is started, or in a plugin.

Under `-n N` the *controller* is the process you started; *workers* run the items. Nested conftest files are loaded by
workers only, so hooks marked (controller) belong in the conftest.py at the top or in an installed plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kovra_checks.access import Access, Clients
    from kovra_checks.actions.base import Action
    from kovra_checks.gate import Decision, Evidence
    from kovra_checks.migration import Migration
    from kovra_checks.outcome import Question
    from kovra_checks.suite import CheckFunction

Probe = Any
__all__ = ["Answerers"]
Answerers = Mapping["type[Question[Any]]", Callable[[Any, "Access"], Any]]


@pytest.hookspec
def pytest_kovra_checks(migration: Migration) -> Iterable[CheckFunction]:
    """Called once in every process before collection; returns functions made with `@check(...)` to run beside ours."""
    raise NotImplementedError


@pytest.hookspec
def pytest_kovra_actions(migration: Migration, stage: str) -> Iterable[Action]:
    """Called per stage in every process before collection; returns actions in order. Ours come first; yours follow."""
    raise NotImplementedError


@pytest.hookspec
def pytest_kovra_probes() -> Answerers:
    """Called once in every process; returns the function that answers each of your question types."""
    raise NotImplementedError


@pytest.hookspec(firstresult=True)
def pytest_kovra_clients(migration: Migration) -> Clients | None:
    """Called once in every process; returns the platform clients. The first answer wins; ours comes last."""


@pytest.hookspec(firstresult=True)
def pytest_kovra_decide(stage: str, evidence: Evidence) -> Decision | None:
    """Called after a stage (controller); returns the gate's decision. The first answer wins; ours comes last."""


@pytest.hookspec
def pytest_kovra_stage_started(stage: str) -> None:
    """Called in the process that acts, before the first action of *stage* is planned."""


@pytest.hookspec
def pytest_kovra_before_observing(stage: str) -> None:
    """Called in the process that observes, after the actions of *stage* and before its questions are put."""


@pytest.hookspec
def pytest_kovra_gate_decided(stage: str, decision: Decision) -> None:
    """Called once per stage (controller) after its gate is decided and recorded, before the next stage may start."""


@pytest.hookspec
def pytest_kovra_action_finished(action: str, state: str, facts: Mapping[str, Any]) -> None:
    """Called in the acting process after an action's outcome is in the ledger (`applied`, `failed`, `undone`)."""


@pytest.hookspec
def pytest_kovra_verdict(verdict: Mapping[str, Any], reports: Sequence[str]) -> None:
    """Called once at the end (controller) with the content of verdict.json and the paths of the reports written."""
