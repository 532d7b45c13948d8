"""Stages without pytest-xdist: gates are crossed between two items."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from kovra_checks.run.gatekeeper import Gatekeeper
from kovra_checks.stages import stage_of

__all__ = ["Local"]


class Local:
    """Plugin object of the only process."""

    def __init__(self, keeper: Gatekeeper) -> None:
        self.keeper = keeper

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What was collected must be reported."""
        self.keeper.collected([item.nodeid for item in session.items])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Before an item of a new stage: decide the gates before it. The item before is torn down by then."""
        stage = stage_of(item.nodeid)
        assert stage is not None
        self.keeper.cross(stage)
        return (yield)
