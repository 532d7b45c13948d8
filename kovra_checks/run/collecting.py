"""Collection in every process: which checks there are, and the order of a stage: actions, observing, checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from kovra_checks.report import allure
from kovra_checks.run.context import Run, action_id
from kovra_checks.run.items import ACTIONS, CHECKS, OBSERVING, ActionItem, CheckItem, ObserveItem
from kovra_checks.stages import STAGES, stage_of
from kovra_checks.subjects import subjects
from kovra_checks.suite import spec_of

__all__ = ["Collecting", "Ordering"]


class Collecting:
    """Plugin object, registered in every process."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stages: list[str] = []
        self.deselected: list[str] = []
        self.own: dict[str, list[str]] = {}

    def pytest_pycollect_makeitem(self, name: str, obj: Any) -> list[Any] | None:
        """A check without a subject in this migration is not collected: there is nothing to prove."""
        spec = spec_of(obj)
        if spec is None or not name.startswith("test_"):
            return None
        return None if subjects(spec.each, self.run.migration) else []

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per subject, in the order of their ids."""
        spec = spec_of(metafunc.function)
        if spec is not None:
            found = subjects(spec.each, self.run.migration)
            metafunc.parametrize(spec.each, [one.value for one in found], ids=[one.id for one in found])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Before anything is deselected: add what the hooks contribute, and remember which stages were asked for."""
        for item in items:
            if stage_of(item.nodeid) is None or spec_of(getattr(item, "obj", None)) is None:
                raise pytest.UsageError(
                    f"{item.nodeid} is not a check: put it under suites/<stage>/ ({', '.join(STAGES)}) and decorate it "
                    "with @check(…)"
                )
        found = {stage_of(item.nodeid) for item in items}
        self.stages = [stage for stage in STAGES if stage in found]
        for stage in self.stages:
            items.extend(self._contributed(session, stage))
            self.own[stage] = sorted(
                {one for item in items if stage_of(item.nodeid) == stage for one in self._all(item)}
            )
        for item in items:
            self._label(item)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what was left out: it keeps gates from opening."""
        self.deselected += [item.nodeid for item in items]

    def _contributed(self, session: pytest.Session, stage: str) -> Iterable[pytest.Item]:
        for function in self.run.contributed:
            spec = spec_of(function)
            assert spec is not None
            if stage in spec.stages:
                for subject in subjects(spec.each, self.run.migration):
                    name = f"{spec.id}[{subject.id}]"
                    yield CheckItem.from_parent(
                        session, name=name, nodeid=f"suites/{stage}/{CHECKS}::{name}", stage=stage,
                        obj=function, subject_id=subject.id, subject=subject.value,
                    )  # fmt: skip

    def _all(self, item: pytest.Item) -> Iterable[str]:
        """The check behind *item* for every subject it has: selecting one by node id does not make it the only one."""
        spec = spec_of(getattr(item, "obj", None))
        assert spec is not None
        return (f"{spec.id}[{subject.id}]" for subject in subjects(spec.each, self.run.migration))

    def _label(self, item: pytest.Item) -> None:
        spec = spec_of(getattr(item, "obj", None))
        assert spec is not None
        subject = item.subject_id if isinstance(item, CheckItem) else item.callspec.id  # type: ignore[attr-defined]
        stage = stage_of(item.nodeid) or ""
        allure.labels(item, run=self.run.migration.name, stage=stage, spec=spec, subject=subject)


class Ordering:
    """Plugin object with the last word about the items: apart from `Collecting`, which has the first."""

    def __init__(self, run: Run, collecting: Collecting) -> None:
        self.run = run
        self.collecting = collecting

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """After all selecting and regrouping: add actions and observing, and order all by stage."""
        items[:] = list(self._ordered(session, items))
        told = {"stages": self.collecting.stages, "deselected": self.collecting.deselected, "own": self.collecting.own}
        self.run.journal.write("scope", told)

    def _ordered(self, session: pytest.Session, items: Sequence[pytest.Item]) -> Iterable[pytest.Item]:
        for stage in self.collecting.stages:
            checks = [item for item in items if stage_of(item.nodeid) == stage]
            if self.run.recorded is None:
                for action in self.run.actions(stage):
                    name = action_id(action)
                    nodeid = f"suites/{stage}/{ACTIONS}::{name}"
                    item = ActionItem.from_parent(session, name=name, nodeid=nodeid, action=action)
                    yield item
            yield ObserveItem.from_parent(
                session, name=OBSERVING, nodeid=f"suites/{stage}/{OBSERVING}::{OBSERVING}", stage=stage
            )
            yield from checks
