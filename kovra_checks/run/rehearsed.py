"""What a rehearsal proves beyond a real move: the lab knows every user, so it can say whether one was let down.

Apart from `rehearsal`, since a replay judges this too and has no lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from kovra_checks.access import Access
from kovra_checks.hooks import Answerers
from kovra_checks.migration import Migration
from kovra_checks.outcome import Check, Finding, Question
from kovra_checks.run.context import Run
from kovra_checks.stages import stage_of
from kovra_checks.suite import CheckFunction, check

__all__ = ["LabTraffic", "LabUsers", "RehearsalChecks", "nobody_was_let_down"]

JUDGED = ("postcutover", "decommission")  # before the source is retired, and after
SHOWN = 5


@dataclass(frozen=True, slots=True)
class LabUsers:
    """What the users of the lab's shop met since this session began.

    Attributes:
        requests: All of their requests.
        failed: Those that got no answer or a wrong one.
        acknowledged: Orders the shop accepted.
        deferred: Orders it put off at least once.
        longest_deferral: Seconds from the first attempt of an order to its acceptance, at worst, since the lab began.
        lost: Accepted orders that the target's database does not hold; those of the source before users were moved.
    """

    requests: int
    failed: int
    acknowledged: int
    deferred: int
    longest_deferral: float
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabTraffic(Question[LabUsers]):
    """What became of the lab's users, with the orders looked up on *side*?"""

    side: str
    kind: ClassVar[str] = "lab-traffic"
    answer_type: ClassVar[type] = LabUsers


def nobody_was_let_down(users: LabUsers) -> list[Finding]:
    """No request failed and no accepted order is missing."""
    findings = []
    if users.failed:
        findings.append(
            Finding(
                f"failed requests of the lab's users ({users.failed} of {users.requests}) == 0",
                "evidence/traffic.jsonl has each of them: what ran at that moment let users down",
            )
        )
    if users.lost:
        named = ", ".join(users.lost[:SHOWN])
        findings.append(
            Finding(
                f"accepted orders missing on the target ({len(users.lost)} of {users.acknowledged}) == 0: {named}",
                "compare the moments in evidence/actions.json with acknowledged.jsonl in the lab's folder (--lab DIR)",
            )
        )
    return findings


@check(
    "rehearsal-loses-nothing",
    title="No user of the lab was let down and no order was lost",
    each="migration",
    stage=JUDGED,
    remedy="find out what the move did to users at that moment: it would do the same to yours",
)
def rehearsal_loses_nothing(migration: Migration) -> Check:
    """The check that a whole rehearsal adds."""
    del migration
    users = LabTraffic("target")
    return Check(users, lambda seen: nobody_was_let_down(seen[users]))


class RehearsalChecks:
    """Plugin object of every process of a rehearsal, and of its replay.

    Args:
        config: What this process was asked for.
        run: The run.
        look: Answers the question; None in a replay.
    """

    def __init__(self, config: pytest.Config, run: Run, look: Callable[[LabTraffic, Access], LabUsers] | None) -> None:
        self._config = config
        self._run = run
        self._look = look

    def pytest_kovra_checks(self) -> Iterable[CheckFunction]:
        """Only where it is due: users of a lab that is broken on purpose, or that begins half-way, say nothing."""
        return (rehearsal_loses_nothing,) if self._is_due() else ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_kovra_probes(self) -> Answerers:
        """The lab's own answer."""
        return {} if self._look is None else {LabTraffic: self._look}

    def _is_due(self) -> bool:
        recorded: Any = self._run.recorded
        if recorded is not None:
            seen = (one for stage in JUDGED if stage in recorded.stages for one in recorded.observations(stage))
            return any(one.kind == LabTraffic.kind for one in seen)
        whole = all(stage_of(argument) is None for argument in self._config.args)
        return whole and not self._config.option.fault
