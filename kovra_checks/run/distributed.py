"""Stages under pytest-xdist: the only module that knows it.

A worker starts an item only once it holds the next one. So a stage's last items would never start if later ones were
held back: every worker is given one item of a later stage to *park* on. It cannot start that one before it is sent
another, which happens only after the gate in between was decided. Should a worker be shut down with an item parked, it
runs it, and the guard in its own process refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from kovra_checks.run.context import Run
from kovra_checks.run.gatekeeper import Gatekeeper
from kovra_checks.run.items import ACTIONS, OBSERVING
from kovra_checks.run.journal import WORKERINPUT
from kovra_checks.stages import STAGES, position, stage_of

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

__all__ = ["Distributed", "StageScheduling", "phase_of"]

PHASES = 2 * len(STAGES)
HELD = 2  # the running item and the one that lets it run


def phase_of(nodeid: str) -> int:
    """Each stage has two phases: 2k, its actions and its observing (serial), and 2k+1, its checks (parallel)."""
    stage = stage_of(nodeid)
    if stage is None:
        raise pytest.UsageError(f"{nodeid}: not below suites/<stage>/")
    serial = f"/{ACTIONS}::" in nodeid or f"/{OBSERVING}::" in nodeid
    return 2 * position(stage) + (0 if serial else 1)


def _is_serial(phase: int) -> bool:
    return phase % 2 == 0


class StageScheduling:
    """xdist's `Scheduling`: a phase drains on all workers before an item of the next may start."""

    def __init__(self, workers: int, keeper: Gatekeeper) -> None:
        self._workers = workers
        self._keeper = keeper
        self._phase = 0
        self._waiting: list[deque[int]] = [deque() for _ in range(PHASES)]
        self._phases: list[int] = []
        self._ids: list[str] | None = None
        self._held: dict[WorkerController, list[int]] = {}
        self._collected: dict[WorkerController, list[str]] = {}

    @property
    def nodes(self) -> list[WorkerController]:
        """Workers that may still be given items."""
        return list(self._held)

    @property
    def collection_is_completed(self) -> bool:
        """Whether every worker has told what it collected."""
        return len(self._collected) >= self._workers

    @property
    def tests_finished(self) -> bool:
        """Whether nothing waits and nobody is parked: xdist then shuts all workers down."""
        if self._ids is None or any(self._waiting):
            return False
        return all(len(held) < HELD and not self._is_parked(held) for held in self._held.values())

    @property
    def has_pending(self) -> bool:
        """Whether any item is not finished."""
        return any(self._waiting) or any(self._held.values())

    def add_node(self, node: WorkerController) -> None:
        """A worker is up."""
        self._held[node] = []

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A worker has collected."""
        self._collected[node] = list(collection)

    def schedule(self) -> None:
        """All workers have collected: hold them to one plan and hand out the first items."""
        if self._ids is None:
            first, *others = self._collected.values()
            for other in others:
                if other != first:
                    different = sorted(set(first) ^ set(other))[:5] or ["the order"]
                    raise pytest.UsageError(f"workers collected different checks: {', '.join(different)}")
            self._ids = first
            self._phases = [phase_of(nodeid) for nodeid in first]
            for index, phase in enumerate(self._phases):
                self._waiting[phase].append(index)
            self._advance()
        self._feed_all()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002
        """An item has ended; all its reports have arrived before."""
        self._held[node].remove(item_index)
        self._advance()
        self._feed_all()

    def mark_test_pending(self, item: str) -> None:
        """Asked by plugins that rerun items: a check is never run twice and an action still less."""
        raise pytest.UsageError(f"{item}: checks and actions are never re-queued; run without reruns")

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Only answers to work stealing, which is not done here."""
        raise pytest.UsageError(f"items {indices} of {node}: items are never moved between workers")

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker has ended, or died: then the item it was in is returned, and is a failure from this moment on."""
        held = self._held.pop(node)
        running = held.pop(0) if held and not self._is_parked(held) else None
        for index in reversed(held):
            self._waiting[self._phases[index]].appendleft(index)
        crashed = None if running is None or self._ids is None else self._ids[running]
        if crashed is not None:
            self._keeper.crashed(crashed)
        self._advance()
        self._feed_all()
        return crashed

    def _is_parked(self, held: Sequence[int]) -> bool:
        return bool(held) and self._phases[held[0]] > self._phase

    def _is_busy(self, phase: int) -> bool:
        return bool(self._waiting[phase]) or any(
            self._phases[index] == phase for held in self._held.values() for index in held
        )

    def _advance(self) -> None:
        while self._phase < PHASES - 1 and not self._is_busy(self._phase):
            self._phase += 1
            if _is_serial(self._phase):
                self._keeper.cross(STAGES[self._phase // 2])

    def _feed_all(self) -> None:
        for node in self.nodes:
            held = self._held[node]
            while len(held) < HELD and not self._is_parked(held) and not node.shutting_down:
                index = self._next(node)
                if index is None:
                    node.shutdown()  # nothing will follow: it runs what it holds and ends
                    break
                held.append(index)
                node.send_runtest_some([index])

    def _next(self, node: WorkerController) -> int | None:
        for phase in range(self._phase, PHASES):
            if self._waiting[phase] and (not _is_serial(phase) or node is self._lead(phase)):
                return self._waiting[phase].popleft()
        return None

    def _lead(self, phase: int) -> WorkerController | None:
        """The one worker for a serial phase: the first that is not parked beyond it."""
        return next((node for node, held in self._held.items() if not held or self._phases[held[0]] <= phase), None)


class Distributed:
    """Plugin object of the controller when items are distributed."""

    def __init__(self, run: Run, keeper: Gatekeeper) -> None:
        self.run = run
        self.keeper = keeper

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell each new worker what run it is part of."""
        node.workerinput[WORKERINPUT] = self.run.settings.to_text()

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> StageScheduling:  # noqa: ARG002
        """Stages instead of load."""
        return StageScheduling(len(config.getoption("tx")), self.keeper)

    def pytest_xdist_node_collection_finished(self, node: WorkerController, ids: Sequence[str]) -> None:  # noqa: ARG002
        """What was collected must be reported."""
        self.keeper.collected(ids)
