"""Responses in the cutover: the domain answers by its name, the way back is open, nobody was turned away."""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import http, routes, traffic
from kovra_checks.rules import responses, slo


@check("domain-responds")
def test_domain_responds(migration: Migration, domain: Domain) -> Check:
    asked = http.everywhere_for(responses.serving(migration.app(domain.app)), routes.by_name(domain))
    return Check(asked, lambda seen: responses.same_everywhere([(seen[each], smoke) for each, smoke in asked.items()]))


@check("source-still-serves")
def test_source_still_serves(migration: Migration, domain: Domain) -> Check:
    asked = http.everywhere_for(responses.serving(migration.app(domain.app)), routes.at_source(domain))
    return Check(asked, lambda seen: responses.same_everywhere([(seen[each], smoke) for each, smoke in asked.items()]))


@check("no-request-failed")
def test_no_request_failed(domain: Domain) -> Check:
    watch = traffic.TrafficWatch(domain.name)
    return Check(watch, lambda seen: slo.no_request_failed(seen[watch], domain.name))
