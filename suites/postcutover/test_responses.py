"""Responses after the cutover: the way back stays open through the soak."""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import http, routes
from kovra_checks.rules import responses


@check("source-still-serves")
def test_source_still_serves(migration: Migration, domain: Domain) -> Check:
    asked = http.everywhere_for(responses.serving(migration.app(domain.app)), routes.at_source(domain))
    return Check(asked, lambda seen: responses.same_everywhere([(seen[each], smoke) for each, smoke in asked.items()]))
