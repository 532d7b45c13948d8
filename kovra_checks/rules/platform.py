"""The tenant, managed databases, external access, and the time the old side is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import App, Database, Domain
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.platform import DatabaseFacts, DomainFacts, Providers, TenantFacts
from kovra_checks.outcome import Finding
from kovra_checks.units import format_duration

__all__ = [
    "certificate_progresses", "database_is_ready", "domain_is_attached", "git_provider_is_connected", "quota_suffices",
    "soak_is_complete", "tenant_is_ready",
]  # fmt: skip

# Kovra, managed databases: lowercase letters, digits and hyphens, beginning with a letter, 2 to 63 characters.
DATABASE_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")
VERSIONS = ("15", "16", "17")
ENCRYPTED = ("require", "verify-ca", "verify-full")
USUAL_ISSUANCE = timedelta(minutes=2)  # the guide: a certificate usually takes one to two minutes
HTTP_01 = (
    "HTTP-01 cannot succeed before the name points at Kovra: have the certificate issued by DNS-01, delegate "
    '_acme-challenge, or accept a measured gap with certificate = "bounded-gap"'
)


def tenant_is_ready(tenant: TenantFacts) -> list[Finding]:
    """Anything but `ready` is not ready, words unknown to us too."""
    if tenant.status == "ready":
        return []
    return [Finding(f"status of tenant {tenant.name} ({tenant.status}) == ready")]


def quota_suffices(tenant: TenantFacts, databases: Sequence[DatabaseFacts]) -> list[Finding]:
    """The databases that are there and those still to be created fit the plan. Raises CouldNotLook without numbers."""
    missing = sum(1 for database in databases if database.status is None)
    if missing == 0:
        return []
    if tenant.database_quota is None or tenant.databases is None:
        raise CouldNotLook(
            f"database quota of tenant {tenant.name}",
            seen="Kovra's API does not say it",
            remedy="name the fields in target.endpoint_map (fields.tenant.database_quota and databases)",
        )
    needed = tenant.databases + missing
    if needed <= tenant.database_quota:
        return []
    return [
        Finding(
            f"databases of tenant {tenant.name} ({tenant.databases} there + {missing} to come = {needed}) "
            f"<= {tenant.database_quota}",
            remedy="take a plan with more databases, or remove some: creating one too many is refused with 429",
        )
    ]


def git_provider_is_connected(providers: Providers, apps: Iterable[App]) -> list[Finding]:
    """Each app's repository is at a provider that is connected to Kovra."""
    findings: list[Finding] = []
    connected = {name.lower() for name in providers.names}
    for app in apps:
        host = urlsplit(app.repository or "").hostname or ""
        wanted = {name for name in ("github", "gitlab") if name in host} or {"github", "gitlab"}
        if not wanted & connected:
            told = ", ".join(sorted(connected)) or "none"
            expected = " or ".join(sorted(wanted))
            findings.append(Finding(f"Git providers connected to Kovra ({told}) include {expected}, for {app.name}"))
    return findings


def database_is_ready(facts: DatabaseFacts, database: Database, source_major: int) -> list[Finding]:
    """Status, version, name and encryption of the managed database are right; *source_major* is, e.g., 17."""
    findings: list[Finding] = []
    if DATABASE_NAME.fullmatch(facts.name) is None:
        findings.append(
            Finding(
                f"name of managed database ({facts.name}) matches {DATABASE_NAME.pattern}",
                remedy=f"set databases.{database.name}.target",
            )
        )
    if facts.status is None:
        return [*findings, Finding(f"managed database {facts.name} (absent) == ready")]
    if facts.status != "ready":
        why = f": {facts.error_message}" if facts.error_message else ""
        findings.append(Finding(f"status of managed database {facts.name} ({facts.status}{why}) == ready"))
    findings += _version(facts, database, source_major)
    if facts.status == "ready":
        mode = None if facts.url is None else facts.url.sslmode
        if mode not in ENCRYPTED:
            findings.append(Finding(f"sslmode of managed database {facts.name} ({mode}) in {', '.join(ENCRYPTED)}"))
    return findings


def _version(facts: DatabaseFacts, database: Database, source_major: int) -> list[Finding]:
    major = (facts.version or "").partition(".")[0]
    what = f"version of managed database {facts.name} ({facts.version})"
    if major not in VERSIONS:
        return [Finding(f"{what} in {', '.join(VERSIONS)}")]
    if database.version is not None and major != database.version:
        return [Finding(f"{what} == {database.version} as configured", remedy="create it again with that version")]
    if int(major) < source_major:
        return [
            Finding(
                f"{what} >= {source_major} of the source",
                remedy="a dump does not go back to an older major version: create the database again with a newer one",
            )
        ]
    return []


def domain_is_attached(facts: DomainFacts, domain: Domain) -> list[Finding]:
    """External access is on, with TLS, and tells the target that the record will get."""
    if facts.status is None:
        return [Finding(f"external access for {domain.name} on {domain.app} (absent) == attached")]
    findings: list[Finding] = []
    if not facts.tls:
        findings.append(Finding(f"TLS of external access for {domain.name} (off) == on"))
    told = (facts.target or "").rstrip(".").lower()
    if facts.target is not None and told != str(domain.target):
        findings.append(
            Finding(
                f"target that Kovra shows for {domain.name} ({told}) == {domain.target} as configured",
                remedy=f'set domains."{domain.name}".target to what Kovra shows',
            )
        )
    return findings


def certificate_progresses(facts: DomainFacts, domain: Domain, *, now: datetime) -> list[Finding]:
    """The certificate is there, or on its way with nothing against it.

    Before the name points at Kovra, HTTP-01 cannot succeed; a `bounded-gap` policy accepts that it waits for DNS.
    """
    status = (facts.status or "absent").lower()
    told = f"external access for {domain.name} ({facts.status or 'absent'}{_why(facts)})"
    if status == "tls ready":
        return []
    if status in ("dns pending", "dns failed"):
        return [] if domain.certificate == "bounded-gap" else [Finding(f"{told} == TLS Ready", remedy=HTTP_01)]
    if status not in ("dns verified", "tls pending", "tls issuing") or not facts.tls:
        return [Finding(f"{told} == TLS Ready{'' if facts.tls else ' with TLS on'}")]
    retry = _moment(facts.retry_at)
    if facts.message:
        again = f"Kovra tries again at {facts.retry_at}" if facts.retry_at else "no next try is announced"
        return [Finding(f"{told} == TLS Ready", remedy=f"issuance is stuck, {again}: remove the cause it names")]
    return [Finding(f"{told} == TLS Ready", until=now + USUAL_ISSUANCE if retry is None else max(retry, now))]


def _why(facts: DomainFacts) -> str:
    return f": {facts.message}" if facts.message else ""


def _moment(text: str | None) -> datetime | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def soak_is_complete(swap: AppliedAction, domain: Domain, *, soak: timedelta, now: datetime) -> list[Finding]:
    """The old side was kept for *soak* since the swap. Raises CouldNotLook when no swap is on record."""
    if swap.at is None:
        raise CouldNotLook(
            f"when the record of {domain.name} was swapped",
            seen="the ledger holds no swap: it was undone, or made by hand",
            remedy="swap with --apply, so that its moment is on record",
        )
    over = swap.at + soak
    if now >= over:
        return []
    return [
        Finding(
            f"time since the swap of {domain.name} ({format_duration(now - swap.at)}) >= {format_duration(soak)}",
            remedy=f"keep the source as it is until {over.isoformat(timespec='seconds')}",
            until=over,
        )
    ]
