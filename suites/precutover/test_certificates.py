"""Certificates before the cutover: asked of the target itself, since the name still leads to the source."""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import routes, tls
from kovra_checks.rules import certificates


@check("certificate-is-provisioned")
def test_certificate_is_provisioned(migration: Migration, domain: Domain) -> Check:
    name = routes.concrete(domain.name)
    shown = tls.EveryHandshake(name, domain.target, domain.port)
    return Check(
        shown,
        lambda seen: certificates.is_provisioned(
            seen[shown],
            name,
            at=seen.at(shown),
            margin=migration.policy.certificate_margin,
            gap_accepted=domain.certificate == "bounded-gap",
        ),
    )
