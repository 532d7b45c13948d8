"""The pytest items: a stage's actions, its observing, and its checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.actions.base import Action
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.errors import KovraChecksError
from kovra_checks.outcome import Check, Observations, Question, as_json
from kovra_checks.report import allure
from kovra_checks.run.acting import perform
from kovra_checks.run.context import RUN, action_id
from kovra_checks.run.judging import CheckBroken, CheckFailed, Judgement, judge
from kovra_checks.run.observing import observe
from kovra_checks.stages import stage_of
from kovra_checks.suite import spec_of
from kovra_checks.waiting import pause

__all__ = [
    "ACTIONS",
    "CHECKS",
    "EXPLAINED",
    "OBSERVING",
    "PROPERTY",
    "ActionItem",
    "CheckItem",
    "ObserveItem",
    "check_of",
    "run_check",
]

ACTIONS = "actions"
OBSERVING = "observing"
CHECKS = "contributed"
PROPERTY = "kovra"
EXPLAINED = (KovraChecksError, CheckFailed, CheckBroken)


class StageItem(pytest.Item):
    """An item that belongs to a stage rather than to a file."""

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.run = self.config.stash[RUN]
        self.funcargs: dict[str, Any] = {}  # Allure formats titles with it

    def begin(self) -> None:
        """Tell plugins, once, that the stage begins."""
        if self.run.journal.read(f"started-{self.stage}") is None:
            self.run.journal.write(f"started-{self.stage}", datetime.now(UTC).isoformat())
            self.config.hook.pytest_kovra_stage_started(stage=self.stage)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Shown by pytest in place of a line of a file."""
        return self.path, None, self.nodeid

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own errors say everything in their message; others keep their traceback."""
        if isinstance(excinfo.value, EXPLAINED):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class ActionItem(StageItem):
    """One action: planned, and with --apply applied and verified."""

    def __init__(self, *, action: Action, **kwargs: Any) -> None:
        super().__init__(stage=action.stage, **kwargs)
        self.action = action

    def runtest(self) -> None:
        """Perform it. Anything but success halts the stage."""
        self.begin()
        with allure.step(f"{action_id(self.action)}: plan, apply, verify"):
            done = perform(self.run, self.action)
        self.user_properties.append((PROPERTY, json.dumps({"action": done})))
        if done["state"] in ("failed", "unknown"):
            self.run.journal.halt(self.stage, f"action {done['id']} {done['state']}")
            raise CheckFailed(done["message"])
        if done["state"] == "planned":
            pytest.skip("planned: not applied (--apply applies it)")


class ObserveItem(StageItem):
    """Puts all questions of the stage's selected checks and records the observations."""

    def runtest(self) -> None:
        """Observe; then, as far as patience goes, wait for what only needs time, and look again."""
        run = self.run
        if run.recorded is None:
            self.begin()
            self.config.hook.pytest_kovra_before_observing(stage=self.stage)
            checks = [check_of(item) for item in self.session.items if is_check(item, self.stage)]
            self._put(question for _, _, check in checks for question in check.asks)
            self._be_patient(checks)
            run.seal()
        run.journal.write(f"observed-{self.stage}", datetime.now(UTC).isoformat())

    def _put(self, questions: Iterable[Question[Any]]) -> None:
        self.run.evidence.record(self.stage, observe(questions, self.run.answerers, self.run.access))

    def _be_patient(self, checks: Sequence[tuple[str, CheckSpec, Check]]) -> None:
        patience = self.run.migration.policy.patience
        deadline = datetime.now(UTC) + patience
        while patience > timedelta(0):
            seen = self.run.observations(self.stage)
            judged = [(check, judge(i, spec, check, seen, (), today=last_day(seen))) for i, spec, check in checks]
            soon = [(check, j.result.until) for check, j in judged if j.result.until and j.result.until <= deadline]
            if not soon:
                return
            left = (max(until for _, until in soon) - datetime.now(UTC)).total_seconds()
            pause(max(0.0, left) + 0.05)
            self._put(question for check, _ in soon for question in check.asks)


class CheckItem(StageItem):
    """A check contributed by `pytest_kovra_checks`. `obj` is its function, as in pytest's own items."""

    def __init__(self, *, obj: Any, subject_id: str, subject: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.obj = obj
        self.subject_id = subject_id
        self.subject = subject

    def runtest(self) -> None:
        """Judge it."""
        run_check(self)


def is_check(item: pytest.Item, stage: str) -> bool:
    """Whether *item* is a check of *stage*."""
    return spec_of(getattr(item, "obj", None)) is not None and stage_of(item.nodeid) == stage


def check_of(item: pytest.Item) -> tuple[str, CheckSpec, Check]:
    """Id, spec and check behind a check item."""
    function: Any = getattr(item, "obj", None)
    spec = spec_of(function)
    assert spec is not None
    if isinstance(item, CheckItem):
        subject_id, subject = item.subject_id, item.subject
    else:
        assert isinstance(item, pytest.Function)
        subject_id, subject = item.callspec.id, item.callspec.params[spec.each]
    return f"{spec.id}[{subject_id}]", spec, item.config.stash[RUN].plan_of(function, spec, subject)


def run_check(item: pytest.Item) -> None:
    """Judge the check behind *item*, tell the controller, and end in the way pytest and Allure understand.

    Raises:
        CheckFailed: There are findings (Allure: failed).
        CheckBroken: It could not look, or it is too early (Allure: broken).
        pytest.skip.Exception: A waiver excuses it.
    """
    run = item.config.stash[RUN]
    check_id, spec, check = check_of(item)
    seen = run.observations(stage_of(item.nodeid) or "")
    keys = {question.key() for question in check.asks}  # once: a key is a digest, and a stage has many observations
    asked = [observation for observation in seen if observation.key in keys]
    allure.attach_observations(asked)
    judgement = judge(check_id, spec, check, seen, run.migration.waivers, today=last_day(seen))
    took = max((observation.took for observation in asked), default=0.0)
    told = {"result": as_json(judgement.result), "remedies": judgement.remedies, "took": took}
    item.user_properties.append((PROPERTY, json.dumps({"check": run.secrets.mask_all(told)})))
    _end(judgement)


def last_day(seen: Observations) -> date:
    """The day of the newest observation: what waivers are held against, so that a replay judges alike."""
    return max((observation.at for observation in seen), default=datetime.now(UTC)).date()


def _end(judgement: Judgement) -> None:
    result, waiver = judgement.result, judgement.waiver
    if result.outcome == "passed":
        return
    if waiver is not None:
        pytest.skip(f"waived: {waiver.reason} (by {waiver.by}, until {waiver.until}); found: {result.findings[0]}")
    body = [*(f"  - {finding}" for finding in result.findings), *(f"  what to do: {one}" for one in judgement.remedies)]
    if result.outcome == "failed":
        raise CheckFailed("\n".join([f"{result.id} failed", *body]))
    when = (
        "could not look" if result.until is None else f"is too early, not before {result.until:%Y-%m-%d %H:%M:%S} UTC"
    )
    raise CheckBroken("\n".join([f"{result.id} {when}", *body]))
