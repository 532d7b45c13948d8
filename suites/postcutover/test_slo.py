"""Service levels after the cutover, against the source's own at the same time."""

from kovra_checks import App, Check, Migration, check
from kovra_checks.observations import http, routes
from kovra_checks.rules import responses, slo


def _both(migration: Migration, app: App) -> http.HttpSample:
    places = (routes.after_swap(migration, app), routes.source_of(migration, app))
    return http.HttpSample(places, responses.serving(app)[0].path, migration.policy.samples)


@check("error-rate-holds")
def test_error_rate_holds(migration: Migration, app: App) -> Check:
    both = _both(migration, app)
    limit = migration.policy.error_rate
    return Check(both, lambda seen: slo.error_rate_holds(*seen[both].samples, limit=limit))


@check("latency-holds")
def test_latency_holds(migration: Migration, app: App) -> Check:
    both = _both(migration, app)
    policy = migration.policy
    return Check(
        both,
        lambda seen: slo.latency_holds(
            *seen[both].samples, factor=policy.latency_factor, floor_ms=policy.latency_floor_ms
        ),
    )
