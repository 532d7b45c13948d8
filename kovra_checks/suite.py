"""What the files in `suites/` are written with: the `check` decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from kovra_checks.checklist import find
from kovra_checks.checklist.spec import CheckSpec, Severity
from kovra_checks.outcome import Check
from kovra_checks.subjects import SUBJECTS

__all__ = ["CheckFunction", "check", "spec_of"]

CheckFunction = Callable[..., Check]
F = TypeVar("F", bound=CheckFunction)


def check(
    check_id: str,
    *,
    title: str = "",
    each: str = "",
    stage: str | tuple[str, ...] = "",
    remedy: str = "",
    guide: str = "beyond the guide",
    severity: Severity = "blocker",
) -> Callable[[F], F]:
    """Make a function that returns a `Check` one or more check items: one per subject.

    A check of the checklist needs its id alone. A check of your own also says its *title*, *each* (the kind of subject:
    `app`, `domain`, `database`, …, see `kovra_checks.subjects`), *stage* (or several) and *remedy*.

    The function takes `migration` and, by the name of its kind, the subject. It is called at collection and must not do
    any I/O. In a test module it is named after the id: `ttl-is-low` -> `test_ttl_is_low`.

    Raises:
        ValueError: The id is unknown and not described, or the function's parameters or name do not fit.
    """

    def decorate(function: F) -> F:
        spec = find(check_id)
        if spec is None:
            if not (title and each and stage and remedy):
                raise ValueError(
                    f"{check_id} is not in the checklist: a check of your own needs title=, each=, stage= and remedy="
                )
            stages = (stage,) if isinstance(stage, str) else stage
            spec = CheckSpec(check_id, title, stages, each, guide, remedy, severity)
        if each and each != spec.each:
            spec = replace(spec, each=each)
        if spec.each not in SUBJECTS:
            raise ValueError(f"{check_id}: each={spec.each!r} is none of {', '.join(SUBJECTS)}")
        wanted, taken = {"migration", spec.each}, set(inspect.signature(function).parameters)
        if not taken <= wanted or spec.each not in taken:
            raise ValueError(f"{check_id}: takes {sorted(taken)}; it must take {spec.each!r} and may take 'migration'")
        expected = "test_" + check_id.replace("-", "_")
        if function.__name__ not in (expected, expected.removeprefix("test_")):
            raise ValueError(f"{check_id}: the function is named {function.__name__}; name it {expected}")
        function.__kovra_check__ = spec  # type: ignore[attr-defined]
        return function

    return decorate


def spec_of(function: Any) -> CheckSpec | None:
    """The spec a function was decorated with, or None."""
    spec: CheckSpec | None = getattr(function, "__kovra_check__", None)
    return spec
