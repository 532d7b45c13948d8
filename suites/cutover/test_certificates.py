"""Certificates in the cutover: as users get them, by the domain's name."""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import routes, tls
from kovra_checks.rules import certificates


@check("certificate-is-served")
def test_certificate_is_served(migration: Migration, domain: Domain) -> Check:
    name = routes.concrete(domain.name)
    shown = tls.EveryHandshake(name, port=domain.port)
    margin = migration.policy.certificate_margin
    return Check(shown, lambda seen: certificates.is_served(seen[shown], name, at=seen.at(shown), margin=margin))
