"""Rules over HTTP exchanges: healthy, as expected, and the same on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from kovra_checks.migration import App, SmokeTest
from kovra_checks.observations.http import Exchange, Exchanges
from kovra_checks.outcome import Finding
from kovra_checks.rules.bodies import differences

__all__ = [
    "answers", "answers_everywhere", "database_unproven", "health_test", "matches", "same_everywhere", "serving",
]  # fmt: skip

SHOWN = 5  # differences in one message list; the rest is counted
BODY_KEPT = 64 * 1024


def serving(app: App) -> tuple[SmokeTest, ...]:
    """Requests that show that an app serves its users: its plain GET smoke tests, else its health path."""
    plain = tuple(smoke for smoke in app.smoke if smoke.method == "GET" and not smoke.headers)
    return plain or (health_test(app.health_path),)


def health_test(path: str) -> SmokeTest:
    """What a health path must do: answer 200 within five seconds."""
    return SmokeTest(name="health", path=path, status=200, within=timedelta(seconds=5))


def database_unproven(app: App) -> list[Finding]:
    """Fires for an app that uses a database and names no path that proves it is reached."""
    if not app.databases:
        return []
    return [
        Finding(
            f"apps.{app.name}.database_health_path (not set) names a path that answers 200 only with the database",
            f"set apps.{app.name}.database_health_path, or waive this check with the reason",
        )
    ]


def answers(seen: Exchange, expected: SmokeTest) -> list[Finding]:
    """Fires for: no response, another status, a text that is missing, an answer slower than agreed."""
    what = f"{expected.method} {seen.url}" + (f" at {seen.address}" if seen.address else "")
    if seen.error is not None:
        return [Finding(f"{what} ({seen.error}) == status {expected.status}")]
    found: list[Finding] = []
    if seen.status != expected.status:
        found.append(Finding(f"{what} status ({seen.status}) == {expected.status}"))
    found += [
        Finding(f"{what} body ({_beginning(seen.body)}) contains {text!r}")
        for text in expected.contains
        if text not in seen.body
    ]
    limit = expected.within.total_seconds() * 1000
    if seen.timing.total > limit:
        found.append(Finding(f"{what} took ({seen.timing.total:.0f} ms) <= {limit:.0f} ms"))
    return found


def _beginning(body: str) -> str:
    plain = " ".join(body.split())
    return repr(plain if len(plain) <= 60 else plain[:60] + "…")


def answers_everywhere(seen: Exchanges, expected: SmokeTest) -> list[Finding]:
    """`answers` at every address; fires as well if there is none."""
    if not seen.exchanges:
        return [Finding(f"addresses for {expected.path} (0) >= 1", "create the record, or correct the target")]
    return [finding for exchange in seen.exchanges for finding in answers(exchange, expected)]


def same_everywhere(all_seen: list[tuple[Exchanges, SmokeTest]]) -> list[Finding]:
    """`answers_everywhere` for several requests."""
    return [finding for seen, expected in all_seen for finding in answers_everywhere(seen, expected)]


def matches(source: Exchange, target: Exchange, smoke: SmokeTest, *, again: Exchange | None = None) -> list[Finding]:
    """Both sides give the same status, kind of content, redirect and body.

    *again* is the source's second answer: what differs from the first is volatile. Fires as well for a side that
    gave no response, since then nothing was compared.
    """
    what = f"{smoke.method} {smoke.path}"
    silent = [(side, seen) for side, seen in (("source", source), ("target", target)) if seen.error is not None]
    if silent:
        return [Finding(f"{what} at the {side} ({seen.error}) == a response to compare") for side, seen in silent]
    found = [Finding(f"{what} {line}") for line in _heads(source, target)]
    if found:
        return found
    steady = again if again is not None and again.error is None else None
    lines = differences(source.body, target.body, again=None if steady is None else steady.body, ignore=smoke.ignore)
    found = [Finding(f"{what} {line}") for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        found.append(Finding(f"{what} differs in {len(lines) - SHOWN} more places"))
    return found or list(_beyond(what, source, target, smoke))


def _heads(source: Exchange, target: Exchange) -> Iterator[str]:
    pairs = (
        ("status", source.status, target.status),
        ("content type", _media_type(source), _media_type(target)),
        ("redirects to", source.header("location"), target.header("location")),
    )
    for what, ours, theirs in pairs:
        if ours != theirs:
            yield f"{what}: source {ours}, target {theirs}"


def _media_type(seen: Exchange) -> str:
    return seen.header("content-type").partition(";")[0].strip().lower()


def _beyond(what: str, source: Exchange, target: Exchange, smoke: SmokeTest) -> Iterator[Finding]:
    """Bodies longer than what is kept are compared by digest, which knows nothing of volatile parts."""
    longer = max(source.body_bytes, target.body_bytes) > BODY_KEPT
    if longer and not smoke.ignore and source.body_sha256 != target.body_sha256:
        yield Finding(
            f"{what} beyond 64 KiB: source {source.body_bytes} bytes, target {target.body_bytes} bytes, not equal",
            "compare a smaller page, or set compare = false for this request",
        )
