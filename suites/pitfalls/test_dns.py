"""The pitfall of a name that does not resolve."""

from kovra_checks import Check, Domain, check
from kovra_checks.observations import dns
from kovra_checks.rules import records


@check("cname-target-resolves")
def test_cname_target_resolves(domain: Domain) -> Check:
    target = dns.ResolverViews(domain.target)
    source = dns.ResolverViews(domain.source_target)
    return Check((target, source), lambda seen: records.resolves(seen[target], seen[source]))
