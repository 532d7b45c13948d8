"""Questions to HTTP servers, put to a chosen address with the right Host and SNI. Redirects are never followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from kovra_checks.migration import SmokeTest
from kovra_checks.observations.routes import Place
from kovra_checks.outcome import Question

__all__ = [
    "Exchange", "Exchanges", "Failures", "HttpEverywhere", "HttpRequest", "HttpSample", "Sample", "Samples", "Timing",
    "asked_again", "everywhere_for", "request_for",
]  # fmt: skip

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")  # RFC 9110 section 9.2.1: asking twice changes nothing


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds each phase took; 0 for one that did not happen. `first_byte` counts from the request's end."""

    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it.

    What a server did to us (refused, reset, showed a bad certificate, fell silent after accepting) is an answer with
    an `error`; what kept us from reaching it at all (no answer from resolvers, no route, no connection in time) is
    not an answer.

    Attributes:
        url: What was asked for.
        address: Address connected to; empty when the name has none.
        status: HTTP status, or None.
        headers: Names in lower case, in the order received; values of cookies are left out.
        body: First 64 KiB as text.
        body_sha256: Over the whole body, hex.
        body_bytes: Length of the whole body.
        timing: Phases in milliseconds.
        error: What went wrong, beginning with its kind, e.g. `refused: …`; None if a whole response came.
    """

    url: str
    address: str
    status: int | None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    body_sha256: str = ""
    body_bytes: int = 0
    timing: Timing = Timing()
    error: str | None = None

    def header(self, name: str) -> str:
        """The first value of header *name*, or an empty string."""
        return next((value for key, value in self.headers if key == name.lower()), "")


@dataclass(frozen=True, slots=True)
class HttpRequest(Question[Exchange]):
    """What does this request get, at the first address of its place?

    Attributes:
        place: Where it goes.
        path: Path with query.
        method: HTTP method.
        headers: Sent beside Host, User-Agent and Accept.
        body: Text to send, or None.
        turn: 1, or 2 for asking the same again (what differs by itself is volatile).
    """

    place: Place
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    turn: int = 1
    kind: ClassVar[str] = "http-request"
    answer_type: ClassVar[type] = Exchange


@dataclass(frozen=True, slots=True)
class Exchanges:
    """One exchange per address, sorted by address. Empty: the name has no address."""

    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class HttpEverywhere(Question[Exchanges]):
    """What does a GET of *path* get at every address of its place?"""

    place: Place
    path: str
    kind: ClassVar[str] = "http-everywhere"
    answer_type: ClassVar[type] = Exchanges


@dataclass(frozen=True, slots=True)
class Failures:
    """How many requests of a sample failed in one way, e.g. `status 500`, `refused`, `no answer`."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Many requests to one place, each on a connection of its own.

    Attributes:
        place: Where they went.
        count: Requests sent.
        failures: By kind, most frequent first. A status of 400 or more is a failure.
        p50: Median of the whole exchange in milliseconds, over requests that did not fail; None if all did.
        p95: 95th percentile alike (nearest rank).
        p99: 99th percentile alike.
        p50_low: The median is at least this, with 99 % confidence; None if p50 is.
        p95_low: The 95th percentile alike.
        started: UTC.
        ended: UTC.
    """

    place: Place
    count: int
    failures: tuple[Failures, ...]
    p50: float | None
    p95: float | None
    p99: float | None
    p50_low: float | None
    p95_low: float | None
    started: datetime
    ended: datetime

    @property
    def failed(self) -> int:
        """Failed requests of all kinds."""
        return sum(failure.count for failure in self.failures)

    @property
    def error_rate(self) -> float:
        """Share of failed requests, from 0 to 1."""
        return self.failed / self.count


@dataclass(frozen=True, slots=True)
class Samples:
    """One sample per place, in the order asked."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class HttpSample(Question[Samples]):
    """How do these places answer many GETs of *path*? Requests take turns, so that all places meet the same weather.

    Attributes:
        places: Where to ask.
        path: Path with query.
        count: Requests per place.
    """

    places: tuple[Place, ...]
    path: str
    count: int
    kind: ClassVar[str] = "http-sample"
    answer_type: ClassVar[type] = Samples


def request_for(smoke: SmokeTest, place: Place) -> HttpRequest:
    """A smoke test's request, sent to *place*."""
    return HttpRequest(place, smoke.path, smoke.method, tuple(sorted(smoke.headers.items())), smoke.body)


def asked_again(request: HttpRequest) -> tuple[HttpRequest, ...]:
    """The same request once more, to see what is volatile; nothing for one that may change something."""
    return (replace(request, turn=2),) if request.method in SAFE_METHODS else ()


def everywhere_for(smokes: Iterable[SmokeTest], place: Place) -> dict[HttpEverywhere, SmokeTest]:
    """Each plain GET, put to every address of *place*."""
    return {HttpEverywhere(place, smoke.path): smoke for smoke in smokes}
