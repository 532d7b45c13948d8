"""Responses before the cutover: the app on Kovra Cloud is well, and answers as the source does."""

from kovra_checks import App, AppRequest, Check, Migration, check
from kovra_checks.observations import http, routes
from kovra_checks.rules import responses


@check("app-is-healthy")
def test_app_is_healthy(migration: Migration, app: App) -> Check:
    health = responses.health_test(app.health_path)
    asked = http.HttpEverywhere(routes.before_swap(migration, app), health.path)
    return Check(asked, lambda seen: responses.answers_everywhere(seen[asked], health))


@check("app-reaches-database")
def test_app_reaches_database(migration: Migration, app: App) -> Check:
    if app.database_health_path is None:
        return Check((), lambda _: responses.database_unproven(app))
    health = responses.health_test(app.database_health_path)
    asked = http.HttpEverywhere(routes.before_swap(migration, app), health.path)
    return Check(asked, lambda seen: responses.answers_everywhere(seen[asked], health))


@check("smoke-test-passes")
def test_smoke_test_passes(migration: Migration, app_request: AppRequest) -> Check:
    smoke = app_request.smoke
    asked = http.request_for(smoke, routes.before_swap(migration, app_request.app))
    return Check(asked, lambda seen: responses.answers(seen[asked], smoke))


@check("responses-match-source")
def test_responses_match_source(migration: Migration, compared_request: AppRequest) -> Check:
    app, smoke = compared_request.app, compared_request.smoke
    source = http.request_for(smoke, routes.source_of(migration, app))
    target = http.request_for(smoke, routes.target_of(migration, app))
    again = http.asked_again(source)
    return Check(
        (source, target, *again),
        lambda seen: responses.matches(
            seen[source], seen[target], smoke, again=next((seen[each] for each in again), None)
        ),
    )
