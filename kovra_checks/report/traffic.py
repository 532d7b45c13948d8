"""Traffic logs: one JSON object per request, and what can be counted in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from kovra_checks.errors import EvidenceError
from kovra_checks.observations.traffic import TrafficLine
from kovra_checks.outcome import adapter
from kovra_checks.report.verdict import TrafficCount

__all__ = ["Request", "count", "old_addresses", "requests_of"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the traffic watch.

    Attributes:
        at: When it began (UTC).
        ms: Milliseconds it took; None if the log does not say.
        ok: Whether it was answered as it should; a deferred write is.
        deferred: A write that the fence told to come back.
        address: Who answered; None if nobody was asked.
        told: What it was and what came back, in a few words.
    """

    at: datetime
    ms: float | None
    ok: bool
    deferred: bool
    address: str | None
    told: str


def requests_of(lines: Iterable[Mapping[str, Any]], *, where: str) -> list[Request]:
    """The requests in *lines* of the file *where*, by time. Raises EvidenceError for a line that is none."""
    found: list[Request] = []
    for number, line in enumerate(lines, start=1):
        try:
            read: TrafficLine = adapter(TrafficLine).validate_python(line)
        except ValidationError as error:
            raise EvidenceError(
                f"read the traffic log {where}",
                seen=f"line {number}: {'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}",
                remedy="correct what writes the log: docs/traffic-log.md says what a line holds",
            ) from None
        at = datetime.fromtimestamp(read.t, UTC)
        came = read.error or f"{read.status}"
        found.append(
            Request(at, read.ms, read.ok, read.kind == "deferred", read.address, f"{read.method} {read.path}: {came}")
        )
    return sorted(found, key=lambda request: request.at)


def old_addresses(requests: Sequence[Request], swapped: datetime | None) -> frozenset[str]:
    """Addresses that answered before the swap: the old side. All of them if nothing was swapped."""
    return frozenset(
        request.address
        for request in requests
        if request.address is not None and (swapped is None or request.at < swapped)
    )


def count(requests: Sequence[Request], swapped: datetime | None) -> TrafficCount:
    """What the verdict says of them.

    Args:
        requests: All that were watched.
        swapped: When the records were changed; None if they were not.
    """
    old = old_addresses(requests, swapped)
    answered = [request for request in requests if request.address is not None]
    source = sum(request.address in old for request in answered)
    return TrafficCount(
        requests=len(requests),
        failed=sum(not request.ok for request in requests),
        deferred=sum(request.deferred for request in requests),
        source=source,
        target=len(answered) - source,
    )
