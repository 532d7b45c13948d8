"""No test may look at anything beyond this machine: one that does fails, whatever else it proves."""

from __future__ import annotations

from collections.abc import Iterator

import loopback
import pytest


@pytest.fixture(scope="session")
def looked_outside() -> list[str]:
    """What this process has looked for outside since it was last emptied."""
    seen: list[str] = []
    loopback.guard(seen.append)
    return seen


@pytest.fixture(autouse=True)
def stays_on_this_machine(looked_outside: list[str]) -> Iterator[None]:
    """Fail the test that looks outside."""
    yield
    found = list(looked_outside)
    looked_outside.clear()
    assert found == [], "this test looks beyond loopback"
