"""Puts a stage's questions: all at once, each distinct one once, and turns every end into an observation."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook, KovraChecksError
from kovra_checks.hooks import Answerers
from kovra_checks.outcome import Observation, Question, as_json

__all__ = ["ask", "distinct", "observe"]


def distinct(questions: Iterable[Question[Any]]) -> list[Question[Any]]:
    """One of each question, in the order first met."""
    return list({question.key(): question for question in questions}.values())


def observe(questions: Iterable[Question[Any]], answerers: Answerers, access: Access) -> list[Observation]:
    """Put all *questions* at the same time; their observations, in order.

    Questions that settle (a propagation watch) are put first and awaited, since the others ask about the world after.
    """
    asked = distinct(questions)
    settling = [question for question in asked if question.settles]
    others = [question for question in asked if not question.settles]
    return [*_wave(settling, answerers, access), *_wave(others, answerers, access)]


def _wave(questions: Sequence[Question[Any]], answerers: Answerers, access: Access) -> list[Observation]:
    if not questions:
        return []
    threads = min(len(questions), access.migration.policy.probe_threads)
    with ThreadPoolExecutor(threads, thread_name_prefix="probe") as pool:
        return list(pool.map(lambda question: ask(question, answerers, access), questions))


def ask(question: Question[Any], answerers: Answerers, access: Access) -> Observation:
    """Put one question. Whatever goes wrong becomes part of the observation: it must not end the others."""
    started = time.perf_counter()
    answer: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    try:
        answer = dict(as_json(_answerer(question, answerers)(question, access)))
    except KovraChecksError as problem:
        error = {"tried": problem.tried, "seen": problem.seen, "remedy": problem.remedy}
    except Exception as problem:  # noqa: BLE001 - a defect in one probe must read as broken, never end or pass the rest
        error = {
            "tried": str(question),
            "seen": f"the probe itself failed: {type(problem).__name__}: {problem}",
            "remedy": "this is a defect of the probe: report it with this message",
        }
    secrets = access.secrets
    return Observation(
        key=question.key(),
        kind=question.kind,
        question=secrets.mask_all(question.fields()),
        at=datetime.now(UTC),
        took=round(time.perf_counter() - started, 4),
        vantage=socket.gethostname(),
        answer=secrets.mask_all(answer),
        error=secrets.mask_all(error),
    )


def _answerer(question: Question[Any], answerers: Answerers) -> Callable[[Any, Access], Any]:
    found = answerers.get(type(question))
    if found is None:
        raise CouldNotLook(
            str(question),
            seen=f"no probe answers questions of kind {question.kind}",
            remedy="contribute one with the hook pytest_kovra_probes in the conftest.py where pytest was started",
        )
    return found
