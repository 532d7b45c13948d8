"""Answers questions to HTTP servers."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.http import (
    Exchange,
    Exchanges,
    Failures,
    HttpEverywhere,
    HttpRequest,
    HttpSample,
    Sample,
    Samples,
)
from kovra_checks.observations.routes import Place
from kovra_checks.outcome import Question
from kovra_checks.probes.exchange import Outgoing, exchange
from kovra_checks.probes.integrations import ANSWERERS as INTEGRATIONS
from kovra_checks.probes.net import addresses_of, settle

__all__ = ["ANSWERERS", "everywhere", "lower_bound", "percentile", "request", "sample"]

SAMPLING_THREADS = 4
SIGNIFICANT = 0.01  # share of samples that may mislead us


def request(question: HttpRequest, access: Access) -> Exchange:
    """The request, at the first address of its place. Raises CouldNotLook if it cannot be reached."""
    began = time.perf_counter()
    place = settle(question.place, access)
    addresses = addresses_of(place.connects_to, access)
    looked = round((time.perf_counter() - began) * 1000, 2)
    if not addresses:
        return Exchange(f"{place.origin}{question.path}", "", None, error=_nameless(place))
    body = None if question.body is None else question.body.encode()
    outgoing = Outgoing(question.path, question.method, question.headers, body)
    answer = exchange(place, addresses[0], outgoing, access.trust(), access.timeout)
    timing = replace(answer.timing, dns=looked, total=round(answer.timing.total + looked, 2))
    return replace(answer, timing=timing)


def _nameless(place: Place) -> str:
    return f"no address: {place.connects_to} has none in DNS"


def everywhere(question: HttpEverywhere, access: Access) -> Exchanges:
    """A GET at every address. Raises CouldNotLook if any address cannot be reached: what it does is unknown."""
    place = settle(question.place, access)
    addresses = addresses_of(place.connects_to, access)
    if not addresses:
        return Exchanges(())
    trust, outgoing = access.trust(), Outgoing(question.path)
    with ThreadPoolExecutor(min(len(addresses), 16)) as pool:
        found = pool.map(lambda address: exchange(place, address, outgoing, trust, access.timeout), addresses)
        return Exchanges(tuple(found))


def sample(question: HttpSample, access: Access) -> Samples:
    """Many requests to each place, in turns. Raises CouldNotLook if a place cannot be found."""
    places = [settle(place, access) for place in question.places]
    addresses = [_found(place, access) for place in places]
    trust, outgoing = access.trust(), Outgoing(question.path)

    def one(turn: int) -> list[tuple[str | None, float]]:
        return [
            _outcome(place, where[turn % len(where)], outgoing, trust, access.timeout)
            for place, where in zip(places, addresses, strict=True)
        ]

    started = datetime.now(UTC)
    with ThreadPoolExecutor(SAMPLING_THREADS) as pool:
        turns = list(pool.map(one, range(question.count)))
    ended = datetime.now(UTC)
    columns = zip(*turns, strict=True)
    return Samples(tuple(_summary(p, list(c), started, ended) for p, c in zip(places, columns, strict=True)))


def _found(place: Place, access: Access) -> tuple[str, ...]:
    addresses = addresses_of(place.connects_to, access)
    if not addresses:
        raise CouldNotLook(
            f"sample {place.origin}", seen=_nameless(place), remedy="create the record, or correct the target"
        )
    return addresses


def _outcome(place: Place, address: str, outgoing: Outgoing, trust: Any, timeout: float) -> tuple[str | None, float]:
    """Kind of failure (None: all is well) and milliseconds of a request that did not fail."""
    try:
        answer = exchange(place, address, outgoing, trust, timeout)
    except CouldNotLook:
        return "no connection", 0.0  # one of many: it counts against the place, as it does for its users
    if answer.error is not None or answer.status is None:
        return (answer.error or "no status").partition(":")[0], 0.0
    return (None if answer.status < 400 else f"status {answer.status}"), answer.timing.total


def _summary(place: Place, outcomes: Sequence[tuple[str | None, float]], started: datetime, ended: datetime) -> Sample:
    kinds = Counter(kind for kind, _ in outcomes if kind is not None)
    times = sorted(ms for kind, ms in outcomes if kind is None)
    return Sample(
        place=place,
        count=len(outcomes),
        failures=tuple(
            Failures(kind, count) for kind, count in sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
        ),
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        p99=percentile(times, 99),
        p50_low=lower_bound(times, 50),
        p95_low=lower_bound(times, 95),
        started=started,
        ended=ended,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values; None of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else None


def lower_bound(ordered: Sequence[float], share: float) -> float | None:
    """What the percentile is at least, with 99 % confidence: an order statistic, whatever the distribution.

    With n values, the number above the true percentile is binomial(n, 1 - share). If so many are at or above a value
    that this happens in less than 1 % of samples, the percentile is not below it. A few slow requests prove nothing.
    """
    n, above = len(ordered), 1 - share / 100
    cumulated = 0.0
    for count in range(n):
        chances = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
        cumulated += math.exp(chances + count * math.log(above) + (n - count) * math.log(1 - above))
        if 1 - cumulated <= SIGNIFICANT:
            return ordered[n - count - 1]
    return ordered[0] if ordered else None


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {
    HttpRequest: request,
    HttpEverywhere: everywhere,
    HttpSample: sample,
    **INTEGRATIONS,
}
