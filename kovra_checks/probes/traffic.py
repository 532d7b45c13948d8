"""Reads traffic logs: our own watch's, and one of real traffic if it is configured (docs/traffic-log.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.routes import concrete
from kovra_checks.observations.traffic import AddressShare, FailedRequest, TrafficLine, TrafficSeen, TrafficWatch
from kovra_checks.outcome import Question, adapter
from kovra_checks.probes.http import percentile
from kovra_checks.waiting import wait_for

__all__ = ["ANSWERERS", "WATCH_LOG", "lines", "traffic_seen"]

WATCH_LOG = "watch.jsonl"
SHOWN = 5


def traffic_seen(question: TrafficWatch, access: Access) -> TrafficSeen:
    """What the logs hold of the host since the cutover began.

    That is since the first line of our own log; without one, within the watch window before now. While our watch runs,
    waits until it has asked for the host once more, so that the answer includes the present. Raises CouldNotLook
    without any request (no evidence), or when a log cannot be read.
    """
    own, configured = access.work / WATCH_LOG, access.migration.watch.traffic_log
    logs = [own] if own.exists() else []
    since = time.time() - access.migration.policy.watch_window.total_seconds()
    if logs:
        _await_fresh(own, question.host, access)
        since = next((line.t for line in lines(own)), since)
    if configured is not None:
        logs.append(access.migration.path(configured))
    found = [line for log in logs for line in lines(log) if line.t >= since and _is_for(line.host, question.host)]
    if not found:
        raise CouldNotLook(
            f"requests to {question.host} during the cutover",
            seen="none in " + (" and ".join(log.name for log in logs) or "any log: no traffic watch ran"),
            remedy="let the traffic watch run during the cutover, or name a log of real traffic: watch.traffic_log",
        )
    return _summary(found, tuple(log.name for log in logs))


def _await_fresh(log: Path, host: str, access: Access) -> None:
    start, paths = log.stat().st_size, set(access.migration.watch.paths)
    limit = access.timeout + 2 * len(paths) / access.migration.watch.rate

    def look() -> bool | None:
        new = {line.path for line in lines(log, start) if _is_for(line.host, host)}
        return True if new >= paths else None

    if wait_for(look, deadline=limit, every=0.1) is None:
        raise CouldNotLook(
            f"requests to {host} by the traffic watch",
            seen=f"it has not asked for {', '.join(sorted(paths))} again within {limit:.0f} s: it has ended",
            remedy=f"see {log.with_suffix('.stderr').name} beside its log for why it ended, and run the stage again",
        )


def lines(log: Path, start: int = 0) -> Iterator[TrafficLine]:
    """The lines of a log from byte *start* on; one that is still being written is left out. Raises CouldNotLook."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            for raw in file:
                if raw.endswith(b"\n"):
                    yield adapter(TrafficLine).validate_json(raw)
    except OSError as error:
        raise CouldNotLook(
            f"read the traffic log {log.name}",
            seen=f"{error.strerror}",
            remedy="correct watch.traffic_log, or let the traffic be logged there before the cutover",
        ) from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise CouldNotLook(
            f"read the traffic log {log.name}",
            seen=f"a line unlike docs/traffic-log.md: {'.'.join(map(str, problem['loc']))} {problem['msg']}",
            remedy="correct what writes the log",
        ) from None


def _is_for(host: str, wanted: str) -> bool:
    """Whether a line is about *wanted*; `*.example.com` is about every name one label below."""
    host = host.lower()
    return host == concrete(wanted) or (wanted.startswith("*.") and host.partition(".")[2] == wanted[2:])


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)


def _summary(found: list[TrafficLine], logs: tuple[str, ...]) -> TrafficSeen:
    found.sort(key=lambda line: line.t)
    failed = [line for line in found if not line.ok]
    times = sorted(line.ms for line in found if line.ms is not None and line.status is not None)
    return TrafficSeen(
        requests=len(found),
        failed=len(failed),
        deferred=sum(line.kind == "deferred" for line in found),
        failures=tuple(
            FailedRequest(_moment(line.t), line.method, line.path, line.status, line.address or "", line.error or "")
            for line in failed[:SHOWN]
        ),
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        first=_moment(found[0].t),
        last=_moment(found[-1].t),
        addresses=_shares(found),
        logs=logs,
    )


def _shares(found: Sequence[TrafficLine]) -> tuple[AddressShare, ...]:
    """*found* is in order of time."""
    by_address: dict[str, list[float]] = {}
    for line in found:
        by_address.setdefault(line.address or "", []).append(line.t)
    return tuple(
        AddressShare(address, len(moments), _moment(moments[0]), _moment(moments[-1]))
        for address, moments in sorted(by_address.items())
    )


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {TrafficWatch: traffic_seen}
