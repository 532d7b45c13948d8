"""The rules over service levels, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.http import Failures, Sample
from kovra_checks.observations.routes import Place
from kovra_checks.observations.traffic import FailedRequest, TrafficSeen
from kovra_checks.rules.slo import error_rate_holds, latency_holds, no_request_failed

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = Sample(Place("shop.example.com"), 100, (), 100.0, 200.0, 300.0, 90.0, 150.0, AT, AT)
SOURCE = replace(TARGET, place=Place("shop.example.com", target="192.0.2.1"))


def timed(p50: float, p95: float) -> Sample:
    """The target with these percentiles, surely so."""
    return replace(TARGET, p50=p50, p95=p95, p50_low=p50, p95_low=p95)


def failing(sample: Sample, count: int, kind: str = "status 500") -> Sample:
    """*sample* with *count* failures."""
    return replace(sample, failures=(Failures(kind, count),))


@pytest.mark.parametrize(
    ("target", "source"),
    [
        (TARGET, SOURCE),
        (failing(TARGET, 1), SOURCE),
        (failing(TARGET, 5), failing(SOURCE, 5)),
        (TARGET, failing(SOURCE, 100)),
    ],
)
def test_error_rate_holds(target: Sample, source: Sample) -> None:
    """At most the limit, or no more than the source itself."""
    assert error_rate_holds(target, source, limit=0.01) == []


@pytest.mark.parametrize("source", [SOURCE, failing(SOURCE, 1), failing(SOURCE, 100)])
def test_error_rate_is_up(source: Sample) -> None:
    """More than the limit and than the source is told with its kinds; a dead source excuses nothing."""
    (finding,) = error_rate_holds(failing(TARGET, 30), source, limit=0.01)
    assert str(finding).startswith(
        "error rate of https://shop.example.com (30.0%: 30 status 500 of 100 requests) <= 1.0%; the source has"
    )


@pytest.mark.parametrize(("p50", "p95"), [(100.0, 200.0), (150.0, 300.0), (40.0, 60.0), (149.0, 249.0)])
def test_latency_holds(p50: float, p95: float) -> None:
    """At most the factor, or within the noise."""
    assert latency_holds(timed(p50, p95), SOURCE, factor=1.5, floor_ms=50) == []


def test_small_differences_are_noise() -> None:
    """5 ms instead of 1 ms is five times as long and yet nothing."""
    quick = replace(SOURCE, p50=1.0, p95=2.0)
    assert latency_holds(timed(5.0, 40.0), quick, factor=1.5, floor_ms=50) == []


def test_latency_is_up() -> None:
    """Both figures are told with the source's."""
    found = latency_holds(timed(400.0, 500.0), SOURCE, factor=1.5, floor_ms=50)
    assert [str(finding) for finding in found] == [
        "p50 of https://shop.example.com (400 ms, surely 400 ms) <= 1.5 x the source's (100 ms)",
        "p95 of https://shop.example.com (500 ms, surely 500 ms) <= 1.5 x the source's (200 ms)",
    ]


def test_a_few_slow_requests_prove_nothing() -> None:
    """A high percentile that may be chance is no finding."""
    assert latency_holds(replace(TARGET, p95=900.0), SOURCE, factor=1.5, floor_ms=50) == []


def test_latency_without_responses() -> None:
    """A target that answers nothing is not fast; a source that answers nothing is no baseline."""
    (finding,) = latency_holds(replace(TARGET, p50=None, p95=None), SOURCE, factor=1.5, floor_ms=50)
    assert str(finding) == "successful responses from https://shop.example.com (0 of 100) >= 1"
    with pytest.raises(CouldNotLook, match="as a baseline"):
        latency_holds(TARGET, replace(SOURCE, p50=None, p95=None), factor=1.5, floor_ms=50)


def test_no_request_failed() -> None:
    """No failure passes; one is enough, and is told with time, address and cause."""
    seen = TrafficSeen(500, 0, 3, (), 10.0, 20.0, AT, AT, (), ("watch.jsonl",))
    assert no_request_failed(seen, "shop.example.com") == []
    failures = (
        FailedRequest(AT, "GET", "/", 502, "192.0.2.1", ""),
        FailedRequest(AT, "POST", "/orders", None, "", "no address"),
    )
    (finding,) = no_request_failed(replace(seen, failed=2, failures=failures), "shop.example.com")
    assert str(finding) == (
        "failed requests to shop.example.com (2 of 500) == 0: 12:00:00 GET / at 192.0.2.1: status 502; "
        "12:00:00 POST /orders at no address: no address"
    )
