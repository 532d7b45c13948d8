"""DNS in the cutover: is the swap seen everywhere?"""

from kovra_checks import Check, Domain, check
from kovra_checks.observations import dns
from kovra_checks.rules import propagation


@check("change-has-propagated")
def test_change_has_propagated(domain: Domain) -> Check:
    watch = dns.Propagation(domain.zone, domain.name, target=domain.target, old=domain.source_target)
    return Check(watch, lambda seen: propagation.has_arrived(seen[watch]))
