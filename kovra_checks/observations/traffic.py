"""The question to the traffic watch: did any request fail while the domain moved?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from kovra_checks.outcome import Question

__all__ = ["AddressShare", "FailedRequest", "TrafficLine", "TrafficSeen", "TrafficWatch"]


@dataclass(frozen=True, slots=True)
class TrafficLine:
    """One line of a traffic log (docs/traffic-log.md).

    Attributes:
        t: Unix time in seconds at which the request began.
        host: Host it was for.
        ok: Whether it came to what its sender wanted.
        method: HTTP method.
        path: Path.
        status: HTTP status, or None when there was no response.
        ms: Milliseconds it took, or None.
        address: Address asked, or None.
        error: What went wrong on the way, or None.
        kind: `read`, `write`, or `deferred`: a write the app put off on purpose and that was repeated.
    """

    t: float
    host: str
    ok: bool
    method: str = "GET"
    path: str = ""
    status: int | None = None
    ms: float | None = None
    address: str | None = None
    error: str | None = None
    kind: str = "read"


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """One request that failed.

    Attributes:
        at: When it began (UTC).
        method: HTTP method.
        path: Path.
        status: HTTP status, or None when there was no response.
        address: Address asked; "" when none was found.
        error: What went wrong; "" if the status says it all.
    """

    at: datetime
    method: str
    path: str
    status: int | None
    address: str
    error: str


@dataclass(frozen=True, slots=True)
class AddressShare:
    """Requests that went to one address, and when the first and the last of them did (UTC)."""

    address: str
    requests: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class TrafficSeen:
    """What the traffic logs hold of one domain since the cutover began.

    Attributes:
        requests: All of them.
        failed: Those that failed.
        deferred: Writes the app put off on purpose (503 with Retry-After) and that were repeated.
        failures: The first five failures.
        p50: Median milliseconds of requests that got a response; None if none did.
        p95: 95th percentile alike.
        first: When the first request began (UTC).
        last: When the last one began (UTC).
        addresses: How the requests were spread, by address.
        logs: Names of the logs read.
    """

    requests: int
    failed: int
    deferred: int
    failures: tuple[FailedRequest, ...]
    p50: float | None
    p95: float | None
    first: datetime
    last: datetime
    addresses: tuple[AddressShare, ...]
    logs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrafficWatch(Question[TrafficSeen]):
    """What happened to the requests for *host* during the cutover?"""

    host: str
    kind: ClassVar[str] = "traffic-watch"
    answer_type: ClassVar[type] = TrafficSeen
