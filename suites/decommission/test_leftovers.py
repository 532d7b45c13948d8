"""May the old side go?"""

from kovra_checks import Check, Domain, Migration, check
from kovra_checks.observations import ledger
from kovra_checks.rules import platform as rule


@check("soak-is-complete")
def test_soak_is_complete(migration: Migration, domain: Domain) -> Check:
    swap = ledger.ActionFacts(f"swap-record[{domain.name}]")
    soak = migration.policy.soak
    return Check(swap, lambda seen: rule.soak_is_complete(seen[swap], domain, soak=soak, now=seen.at(swap)))
