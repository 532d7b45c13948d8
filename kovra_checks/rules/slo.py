"""Rules over samples and the traffic watch: as quick and as reliable as before, and no request lost on the way."""

from __future__ import annotations

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.http import Sample
from kovra_checks.observations.traffic import FailedRequest, TrafficSeen
from kovra_checks.outcome import Finding

__all__ = ["error_rate_holds", "latency_holds", "no_request_failed"]


def error_rate_holds(target: Sample, source: Sample, *, limit: float) -> list[Finding]:
    """The target's share of failed requests is at most *limit*, or at most the source's own at the same time.

    A source that answers nothing is no yardstick: then the limit alone decides.
    """
    baseline = source.error_rate if source.failed < source.count else 0.0
    if target.error_rate <= max(limit, baseline):
        return []
    kinds = ", ".join(f"{failure.count} {failure.kind}" for failure in target.failures)
    return [
        Finding(
            f"error rate of {target.place.origin} ({target.error_rate:.1%}: {kinds} of {target.count} requests) <= "
            f"{limit:.1%}; the source has {source.error_rate:.1%}"
        )
    ]


def latency_holds(target: Sample, source: Sample, *, factor: float, floor_ms: float) -> list[Finding]:
    """Median and 95th percentile are at most *factor* times the source's; less than *floor_ms* apart is noise.

    Fires only where 99 % confidence says so: a few slow requests out of dozens happen on a busy machine. Raises
    CouldNotLook if the source gave nothing to compare with.
    """
    if target.p50 is None:
        return [Finding(f"successful responses from {target.place.origin} (0 of {target.count}) >= 1")]
    if source.p50 is None or source.p95 is None:
        raise CouldNotLook(
            f"latency of {source.place.origin} at the source, as a baseline",
            seen=f"no successful response to {source.count} requests",
            remedy="keep the source running through the soak",
        )
    return [
        Finding(
            f"{name} of {target.place.origin} ({seen:.0f} ms, surely {low:.0f} ms) <= {factor:g} x the source's "
            f"({baseline:.0f} ms)"
        )
        for name, seen, low, baseline in (
            ("p50", target.p50, target.p50_low, source.p50),
            ("p95", target.p95, target.p95_low, source.p95),
        )
        if low is not None and low > baseline * factor and low - baseline > floor_ms
    ]


def no_request_failed(seen: TrafficSeen, host: str) -> list[Finding]:
    """Not one request failed since the cutover began."""
    if not seen.failed:
        return []
    examples = "; ".join(_told(failure) for failure in seen.failures)
    return [Finding(f"failed requests to {host} ({seen.failed} of {seen.requests}) == 0: {examples}")]


def _told(failure: FailedRequest) -> str:
    what = failure.error or f"status {failure.status}"
    return f"{failure.at:%H:%M:%S} {failure.method} {failure.path} at {failure.address or 'no address'}: {what}"
