"""DNS once the move is over: TTL back to normal, the source forgotten."""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import dns
from kovra_checks.rules import records, ttl


@check("ttl-is-restored")
def test_ttl_is_restored(migration: Migration, domain: Domain) -> Check:
    survey = dns.ZoneSurvey(domain.zone, domain.name)
    return Check(survey, lambda seen: ttl.is_restored(seen[survey], floor=migration.policy.restored_ttl))


@check("nothing-points-at-source")
def test_nothing_points_at_source(domain: Domain) -> Check:
    survey = dns.ZoneSurvey(domain.zone, domain.name)
    users = dns.ResolverViews(domain.name)
    source = dns.ResolverViews(domain.source_target)
    return Check(
        (survey, users, source),
        lambda seen: records.nothing_points_at(
            seen[survey], seen[users], seen[source], source_target=domain.source_target
        ),
    )
