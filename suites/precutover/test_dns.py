"""DNS before the cutover: can the record be swapped, and will the swap be seen soon?"""

from kovra_checks import Check, Domain, Finding, Migration, Observations, check
from kovra_checks.observations import dns, ledger
from kovra_checks.rules import caa, records, ttl


@check("zone-is-ready")
def test_zone_is_ready(migration: Migration, domain: Domain) -> Check:
    survey = dns.ZoneSurvey(domain.zone, domain.name)
    source = dns.ResolverViews(domain.source_target)
    at_target = dns.CaaAt((domain.target,) if dns.record_type(domain.target) == "CNAME" else ())
    above = dns.CaaAt(caa.parents(domain.zone))

    def judge(seen: Observations) -> list[Finding]:
        view = seen[survey]
        fits = records.swap_fits(
            view, target=domain.target, source_target=domain.source_target, old_suffixes=migration.policy.old_hosts
        )
        apex = records.apex_can_point(view, seen[source], target=domain.target, provider=domain.provider)
        issue = caa.allows_issuer(view, seen[at_target], seen[above], issuers=domain.certificate_issuers)
        return records.zone_is_ready(view, (fits, apex, issue))

    return Check((survey, source, at_target, above), judge)


@check("rollback-is-ready")
def test_rollback_is_ready(domain: Domain) -> Check:
    source = dns.ResolverViews(domain.source_target)
    return Check(source, lambda seen: records.resolves(seen[source], None))


@check("ttl-is-low")
def test_ttl_is_low(migration: Migration, domain: Domain) -> Check:
    survey = dns.ZoneSurvey(domain.zone, domain.name)
    return Check(survey, lambda seen: ttl.is_low(seen[survey], ceiling=migration.policy.low_ttl))


@check("ttl-has-aged")
def test_ttl_has_aged(migration: Migration, domain: Domain) -> Check:
    low = migration.policy.low_ttl
    survey = dns.ZoneSurvey(domain.zone, domain.name)
    users = dns.ResolverViews(domain.name)
    history = dns.TtlHistory(domain.zone, domain.name, low)
    lowering = ledger.ActionFacts(f"lower-ttl[{domain.name}]")
    return Check(
        (survey, users, history, lowering),
        lambda seen: ttl.has_aged(
            seen[survey],
            seen[users],
            ttl.lowering(seen[lowering], seen[history], assumed=migration.policy.restored_ttl),
            seen_at=seen.at(survey),
            ceiling=low,
        ),
    )
