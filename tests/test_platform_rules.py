"""The platforms family's rules, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import App, Database, Domain, Job
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.platform import (
    Connection,
    Connections,
    DatabaseFacts,
    DomainFacts,
    JobFacts,
    Jobs,
    Process,
    Processes,
    Providers,
    SourceFacts,
    TargetFacts,
    TenantFacts,
    UrlTraits,
    VariableSeen,
    VariableTable,
)
from kovra_checks.outcome import Finding
from kovra_checks.rules import apps, jobs, platform, variables

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COMMIT = "5f3c2a9d41e7b8064cf1a2d3e4b5968778695a4b"
TABLE_APP: dict[str, Any] = {"name": "web", "databases": {"DATABASE_URL": "main"}}


def messages(findings: list[Finding]) -> list[str]:
    """What the findings say."""
    return [finding.message for finding in findings]


def app(**changes: Any) -> App:
    """An app with one database variable."""
    return App.model_validate({**TABLE_APP, **changes})


def seen(name: str, value: str | None = "a", origin: Any = "config", **traits: Any) -> VariableSeen:
    """A variable whose digest is *value* itself."""
    return VariableSeen(name, value, origin, **traits)


PARITY: list[tuple[str, dict[str, Any], list[VariableSeen], list[VariableSeen], dict[str, str], list[str]]] = [
    ("equal", {}, [seen("A")], [seen("A")], {}, []),
    ("missing", {}, [seen("A")], [], {}, ["missing: A of web on the target (absent) == present as at the source"]),
    ("different", {}, [seen("A")], [seen("A", "b")], {},
     ["different: A of web on the target (another value) == the source's value"]),
    ("extra", {}, [], [seen("A")], {}, ["extra: A of web on the target (present) == absent as at the source"]),
    ("target only", {"target_only": ["A"]}, [], [seen("A")], {}, []),
    ("set by Kovra", {}, [], [seen("PORT", "8080", "platform")], {}, []),
    ("unreadable at the source", {}, [seen("A", None)], [seen("A")], {},
     ["unreadable: value of A of web at the source (hidden by the platform) == readable"]),
    ("unreadable on the target", {}, [seen("A")], [seen("A", None)], {},
     ["unreadable: value of A of web at the target (hidden by the platform) == readable"]),
    ("unreadable but given", {"set": {"A": "env:A"}}, [seen("A", None)], [seen("A", "n")], {"A": "n"}, []),
    ("add-on without replacement", {}, [seen("REDIS_URL", "a", "addon")], [], {},
     ["platform-injected: REDIS_URL of web on the target (absent) == a replacement of what an add-on gave"]),
    ("add-on copied", {}, [seen("REDIS_URL", "a", "addon")], [seen("REDIS_URL")], {},
     ["platform-injected: REDIS_URL of web on the target (copied from an add-on) == set by the target or absent"]),
    ("add-on replaced", {}, [seen("REDIS_URL", "a", "addon")], [seen("REDIS_URL", "b")], {}, []),
    ("add-on replaced by a given value", {"set": {"REDIS_URL": "env:R"}}, [seen("REDIS_URL", "a", "addon")],
     [seen("REDIS_URL", "n")], {"REDIS_URL": "n"}, []),
    ("platform's left behind", {}, [seen("DYNO", "web.1", "platform")], [], {}, []),
    ("platform's copied", {}, [seen("DYNO", "web.1", "platform")], [seen("DYNO", "web.1")], {},
     ["platform-injected: DYNO of web on the target (copied from the source platform) == set by the target or absent"]),
    ("retired", {"retire": ["A"]}, [seen("A")], [], {}, []),
    ("retired and there", {"retire": ["A"]}, [seen("A")], [seen("A")], {},
     ["extra: A of web on the target (present) == absent as at the source"]),
    ("renamed", {"rename": {"A": "B"}}, [seen("A")], [seen("B")], {}, []),
    ("renamed and left", {"rename": {"A": "B"}}, [seen("A")], [seen("A")], {},
     ["extra: A of web on the target (present) == absent as at the source",
      "missing: B of web on the target (absent) == present as at the source"]),
    ("must differ and does", {"must_differ": ["A"]}, [seen("A")], [seen("A", "b")], {}, []),
    ("must differ and does not", {"must_differ": ["A"]}, [seen("A")], [seen("A")], {},
     ["must differ: A of web on the target (the source's value) != the source's value"]),
    ("must differ and is missing", {"must_differ": ["A"]}, [seen("A")], [], {},
     ["missing: A of web on the target (absent) == present as at the source"]),
    ("given and set", {"set": {"A": "env:A"}}, [seen("A")], [seen("A", "n")], {"A": "n"}, []),
    ("given and missing", {"set": {"A": "env:A"}}, [], [], {"A": "n"},
     ["missing: A of web on the target (absent) == the value given in apps.web.variables.set"]),
    ("given and different", {"set": {"A": "env:A"}}, [], [seen("A", "o")], {"A": "n"},
     ["different: A of web on the target (another value) == the value given in apps.web.variables.set"]),
    ("given and hidden", {"set": {"A": "env:A"}}, [], [seen("A", None)], {"A": "n"},
     ["unreadable: value of A of web at the target (hidden by the platform) == readable"]),
    ("database variables are another check's", {}, [seen("DATABASE_URL", "a", "addon")], [], {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "source", "target", "given", "expected"), [row[1:] for row in PARITY],
                         ids=[row[0] for row in PARITY])  # fmt: skip
def test_parity(
    rules: dict[str, Any],
    source: list[VariableSeen],
    target: list[VariableSeen],
    given: dict[str, str],
    expected: list[str],
) -> None:
    """Missing, extra, different, platform-injected and unreadable are findings of their own."""
    table = VariableTable(tuple(source), tuple(target), given)
    assert messages(variables.parity(table, app(variables=rules))) == expected


def test_old_and_private_hosts_are_named() -> None:
    """A variable on the target that points back is a finding with the hosts and not with the value."""
    old = seen("ASSETS", old_hosts=("shop.herokuapp.com",), private_hosts=("db.railway.internal",))
    table = VariableTable((seen("ASSETS"),), (old,), {})
    assert messages(variables.are_correct(table, app())) == [
        "old hosts in ASSETS of web on the target (shop.herokuapp.com, db.railway.internal) == none"
    ]


COPIED = [
    ("A", "config", {}, True),
    ("A", "addon", {}, False),
    ("A", "platform", {}, False),
    ("DATABASE_URL", "config", {}, False),
    ("A", "config", {"must_differ": ["A"]}, False),
    ("A", "config", {"retire": ["A"]}, False),
    ("A", "config", {"rename": {"A": "B"}, "set": {"B": "env:B"}}, False),
    ("A", "config", {"rename": {"A": "B"}}, True),
]


@pytest.mark.parametrize(("name", "origin", "rules", "expected"), COPIED)
def test_what_is_copied(name: str, origin: str, rules: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a column
    """Only the app's own variables are copied, and none that is told to differ, to be set or to go."""
    assert variables.is_copied(app(variables=rules), name, origin) is expected


SOURCE = SourceFacts("shop-web", COMMIT, maintenance=False, repository=None, branch=None)
TARGET = TargetFacts("web", exists=True, status="running", repository="https://github.com/acme/shop", branch="main",
                     commit=COMMIT, health_path="/healthz", generated_host=None, restarts=0)  # fmt: skip
ABSENT = TargetFacts("web", exists=False)
NOT_THERE = ["application web on Kovra Cloud (absent) == present"]


def changed(**changes: Any) -> TargetFacts:
    """The healthy target with some facts changed."""
    return replace(TARGET, **changes)


BUILDS: list[tuple[TargetFacts, dict[str, Any], list[str]]] = [
    (TARGET, {}, []),
    (changed(commit=COMMIT[:8]), {}, []),
    (TARGET, {"repository": "https://github.com/Acme/shop.git"}, []),
    (ABSENT, {}, NOT_THERE),
    (changed(commit=None), {}, [f"commit of web on Kovra Cloud (not deployed) == {COMMIT}"]),
    (changed(commit="0" * 40), {}, [f"commit of web on Kovra Cloud ({'0' * 40}) == {COMMIT}"]),
    (TARGET, {"commit": "1234567"}, [f"commit of web on Kovra Cloud ({COMMIT}) == 1234567"]),
    (TARGET, {"repository": "https://github.com/acme/other"},
     ["repository of web on Kovra Cloud (https://github.com/acme/shop) == https://github.com/acme/other"]),
]  # fmt: skip


@pytest.mark.parametrize(("target", "config", "expected"), BUILDS)
def test_same_build(target: TargetFacts, config: dict[str, Any], expected: list[str]) -> None:
    """Repository and commit are those of the source, or those configured."""
    assert messages(apps.is_same_build(SOURCE, target, app(**config))) == expected


def test_a_source_that_hides_its_commit_could_not_be_looked_at() -> None:
    """Without any commit to compare with, nothing is proven."""
    silent = SourceFacts("shop-web", None, maintenance=False, repository=None, branch=None)
    with pytest.raises(CouldNotLook, match="does not say which commit") as caught:
        apps.is_same_build(silent, TARGET, app())
    assert caught.value.remedy == "set apps.web.commit"


STABLE = [
    (TARGET, []),
    (ABSENT, NOT_THERE),
    (changed(restarts=3), ["restarts of web since its deployment (3) == 0"]),
    (changed(status="CrashLoopBackOff"), ["status of web on Kovra Cloud (CrashLoopBackOff) == running"]),
]


@pytest.mark.parametrize(("target", "expected"), STABLE)
def test_restarts(target: TargetFacts, expected: list[str]) -> None:
    """An app that restarts or is down is a finding."""
    assert messages(apps.does_not_restart(target)) == expected


HEALTH = [(TARGET, []), (ABSENT, NOT_THERE),
          (changed(health_path="/"), ["health check path of web on Kovra Cloud (/) == /healthz"])]  # fmt: skip


@pytest.mark.parametrize(("target", "expected"), HEALTH)
def test_health_path(target: TargetFacts, expected: list[str]) -> None:
    """Kovra asks the configured path."""
    assert messages(apps.health_path_matches(target, app())) == expected


def test_what_kovra_does_not_say_could_not_be_looked_at() -> None:
    """A field that the API leaves out is not taken for a good one."""
    with pytest.raises(CouldNotLook, match="does not say") as restarts:
        apps.does_not_restart(changed(restarts=None))
    with pytest.raises(CouldNotLook, match="does not say") as path:
        apps.health_path_matches(changed(health_path=None), app())
    assert "target.endpoint_map" in restarts.value.remedy
    assert "target.endpoint_map" in path.value.remedy


UPLOADS: list[tuple[dict[str, Any], list[VariableSeen], list[str]]] = [
    ({"uploads": "none"}, [], []),
    ({"uploads": "disk"}, [], ["uploads of web (on the container's own disk) == object storage"]),
    ({"uploads": "object-storage", "upload_variables": ["S3"]}, [seen("S3")], []),
    ({"uploads": "object-storage", "upload_variables": ["S3"]}, [],
     ["S3 of web on the target (absent) == set: uploads would go to the container's own disk"]),
    ({"uploads": "object-storage"}, [], ["variables that configure the uploads of web (none named) >= 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("config", "target", "expected"), UPLOADS)
def test_uploads(config: dict[str, Any], target: list[VariableSeen], expected: list[str]) -> None:
    """Uploads live in object storage that is configured on the target."""
    assert messages(apps.uploads_are_persistent(VariableTable((), tuple(target), {}), app(**config))) == expected


MANAGED = UrlTraits("postgresql", "main-rw.acme.svc", 5432, "require")


def connection(host: str | None = "main-rw.acme.svc", *, managed: bool | None = True, scheme: str = "postgres",
               present: bool = True) -> Connections:  # fmt: skip
    """One database variable that points at *host*."""
    url = None if host is None else UrlTraits(scheme, host, 5432, "require")
    return Connections((Connection("DATABASE_URL", "main", present, managed, url, MANAGED),))


def outside(host: str) -> str:
    """The finding for a host outside the cluster."""
    wanted = "main-rw.acme.svc: an external name times out inside the cluster"
    return f"database host in DATABASE_URL on the target ({host}) == {wanted}"


WIRES = [
    ("managed", connection(), [], []),
    ("absent", connection(present=False), ["DATABASE_URL on the target (absent) == the URL of managed database main"],
     ["DATABASE_URL on the target (absent) == an internal database host"]),
    ("hidden", connection(None, managed=None),
     ["DATABASE_URL on the target (unreadable) == the URL of managed database main"],
     ["DATABASE_URL on the target (unreadable) == an internal database host"]),
    ("external", connection("db.example.com", managed=False),
     ["DATABASE_URL on the target (a URL of host db.example.com) == the URL of managed database main"],
     [outside("db.example.com")]),
    ("other internal", connection("pooler.acme.svc.cluster.local", managed=False),
     ["DATABASE_URL on the target (a URL of host pooler.acme.svc.cluster.local) == the URL of managed database main"],
     []),
    ("no URL", connection(None, managed=False),
     ["DATABASE_URL on the target (no URL) == the URL of managed database main"],
     ["DATABASE_URL on the target (no PostgreSQL URL) == an internal database host"]),
    ("a name that only ends alike", connection("evil-svc", managed=False),
     ["DATABASE_URL on the target (a URL of host evil-svc) == the URL of managed database main"],
     [outside("evil-svc")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seen_there", "target", "internal"), [row[1:] for row in WIRES], ids=[row[0] for row in WIRES]
)
def test_database_variables(seen_there: Connections, target: list[str], internal: list[str]) -> None:
    """They hold the managed URL, and in any case an internal host."""
    assert messages(apps.database_url_is_target(seen_there)) == target
    assert messages(apps.database_url_is_internal(seen_there, (".svc", ".cluster.local"))) == internal


JOB = Job(name="nightly", app="web", schedule="0 3 * * *", command="run", source_process="clock")
SCHEDULED = JobFacts("nightly", "0 3 * * *", "UTC", "run", suspended=True)
ACTIVE = JobFacts("nightly", "0 3 * * *", "UTC", "run", suspended=False)
OTHER = JobFacts("nightly", "0 4 * * *", "Europe/Paris", "walk", suspended=True)


def clock(count: int) -> Processes:
    """The source's processes with *count* clocks."""
    return Processes((Process("clock", count, "run"), Process("web", 1, "serve")))


OWNERS = [
    (SCHEDULED, 1, False, []),
    (ACTIVE, 0, True, []),
    (None, 1, False, ["job nightly on Kovra Cloud (absent) == scheduled 0 3 * * * UTC"]),
    (ACTIVE, 1, False, ["who runs job nightly (source process clock x1 and target) == the source alone"]),
    (ACTIVE, 2, True, ["who runs job nightly (source process clock x2 and target) == the target alone"]),
    (SCHEDULED, 0, False, ["who runs job nightly (nobody) == the source alone"]),
    (SCHEDULED, 1, True, ["who runs job nightly (source process clock x1) == the target alone"]),
    (ACTIVE, 0, False, ["who runs job nightly (target) == the source alone"]),
    (OTHER, 1, False, ["schedule of job nightly on Kovra Cloud (0 4 * * *) == 0 3 * * *",
                       "time zone of job nightly on Kovra Cloud (Europe/Paris) == UTC",
                       "command of job nightly on Kovra Cloud (walk) == run"]),
]  # fmt: skip


@pytest.mark.parametrize(("found", "count", "handed_over", "expected"), OWNERS)
def test_jobs(found: JobFacts | None, count: int, handed_over: bool, expected: list[str]) -> None:  # noqa: FBT001 - a column
    """The job is as configured, and exactly the right side runs it."""
    there = Jobs(() if found is None else (found,))
    assert messages(jobs.exists_once(JOB, there, clock(count), handed_over=handed_over)) == expected


def test_a_job_without_known_owner_is_a_finding() -> None:
    """A scheduler without an API has to be looked at by hand, and a waiver says by whom."""
    job = Job(name="nightly", app="web", schedule="0 3 * * *", command="run")
    (finding,) = jobs.exists_once(job, Jobs((SCHEDULED,)), None, handed_over=False)
    assert finding.message.startswith("who runs job nightly (unknown")
    assert "waive" in finding.remedy


def tenant(status: str = "ready", quota: int | None = 3, count: int | None = 0) -> TenantFacts:
    """A tenant."""
    return TenantFacts("acme", status, "team", quota, count)


@pytest.mark.parametrize(("status", "expected"), [
    ("ready", []), ("Ready", ["status of tenant acme (Ready) == ready"]),
    ("provisioning", ["status of tenant acme (provisioning) == ready"]),
])  # fmt: skip
def test_tenant(status: str, expected: list[str]) -> None:
    """Only the documented word is ready."""
    assert messages(platform.tenant_is_ready(tenant(status))) == expected


QUOTAS = [
    (tenant(), ["absent"], []),
    (tenant(count=3), ["ready"], []),
    (tenant(count=3), ["absent"], ["databases of tenant acme (3 there + 1 to come = 4) <= 3"]),
    (tenant(quota=1), ["absent", "absent"], ["databases of tenant acme (0 there + 2 to come = 2) <= 1"]),
]


@pytest.mark.parametrize(("facts", "statuses", "expected"), QUOTAS)
def test_quota(facts: TenantFacts, statuses: list[str], expected: list[str]) -> None:
    """Databases that exist already need no room."""
    databases = [DatabaseFacts("main", None if status == "absent" else status) for status in statuses]
    assert messages(platform.quota_suffices(facts, databases)) == expected


def test_a_quota_that_is_not_told_could_not_be_looked_at() -> None:
    """Silence is no room."""
    with pytest.raises(CouldNotLook, match="does not say"):
        platform.quota_suffices(tenant(quota=None), [DatabaseFacts("main", None)])


PROVIDERS = [
    (("github",), "https://github.com/a/b", []),
    (("GitHub",), "https://github.com/a/b", []),
    (("gitlab",), "https://git.example.com/a/b", []),
    (("gitlab",), "https://github.com/a/b", ["Git providers connected to Kovra (gitlab) include github, for web"]),
    ((), None, ["Git providers connected to Kovra (none) include github or gitlab, for web"]),
]


@pytest.mark.parametrize(("names", "repository", "expected"), PROVIDERS)
def test_git_providers(names: tuple[str, ...], repository: str | None, expected: list[str]) -> None:
    """The provider that holds the repository is connected."""
    found = platform.git_provider_is_connected(Providers(names), [app(repository=repository)])
    assert messages(found) == expected


def facts(**changes: Any) -> DatabaseFacts:
    """A managed database that is ready, changed."""
    data: dict[str, Any] = {"name": "main", "status": "ready", "version": "17", "url": MANAGED}
    return DatabaseFacts(**{**data, **changes})


DATABASES: list[tuple[DatabaseFacts, str | None, int, list[str]]] = [
    (facts(), "17", 17, []),
    (facts(version="17.4"), None, 15, []),
    (facts(status=None), None, 17, ["managed database main (absent) == ready"]),
    (facts(status="failed", error_message="no space", url=None), None, 17,
     ["status of managed database main (failed: no space) == ready"]),
    (facts(version="15"), None, 16, ["version of managed database main (15) >= 16 of the source"]),
    (facts(version="16"), "17", 16, ["version of managed database main (16) == 17 as configured"]),
    (facts(version="14"), None, 13, ["version of managed database main (14) in 15, 16, 17"]),
    (facts(version=None), None, 13, ["version of managed database main (None) in 15, 16, 17"]),
    (facts(url=UrlTraits("postgresql", "h", 5432, None)), None, 17,
     ["sslmode of managed database main (None) in require, verify-ca, verify-full"]),
    (facts(name="Main"), None, 17, ["name of managed database (Main) matches [a-z][a-z0-9-]{1,62}"]),
]  # fmt: skip


@pytest.mark.parametrize(("there", "version", "source", "expected"), DATABASES)
def test_managed_database(there: DatabaseFacts, version: str | None, source: int, expected: list[str]) -> None:
    """Status, version, name and encryption are each a finding of their own."""
    config = Database.model_validate({"name": "main", "source_url": "env:U", "version": version})
    assert messages(platform.database_is_ready(there, config, source)) == expected


def domain(certificate: str = "before") -> Domain:
    """A domain."""
    return Domain.model_validate({
        "name": "shop.example.test", "app": "web", "zone": "example.test", "target": "web.apps.kovra.test",
        "source_target": "x.herokudns.test", "certificate": certificate,
    })  # fmt: skip


def access(status: str | None, **changes: Any) -> DomainFacts:
    """External access."""
    return DomainFacts("shop.example.test", status, **{"target": "web.apps.kovra.test", "tls": True, **changes})


ATTACHED = [
    (access("TLS Ready"), []),
    (access("TLS Ready", target="Web.Apps.Kovra.Test."), []),
    (access(None), ["external access for shop.example.test on web (absent) == attached"]),
    (access("DNS Pending", tls=False), ["TLS of external access for shop.example.test (off) == on"]),
    (access("TLS Ready", target="other.kovra.test"),
     ["target that Kovra shows for shop.example.test (other.kovra.test) == web.apps.kovra.test as configured"]),
]  # fmt: skip


@pytest.mark.parametrize(("there", "expected"), ATTACHED)
def test_attached(there: DomainFacts, expected: list[str]) -> None:
    """External access is on, with TLS, at the configured target."""
    assert messages(platform.domain_is_attached(there, domain())) == expected


LATER = NOW + timedelta(hours=1)
ISSUANCE: list[tuple[DomainFacts, str, list[tuple[str, datetime | None, str]]]] = [
    (access("TLS Ready"), "before", []),
    (access("DNS Pending"), "bounded-gap", []),
    (access("DNS Pending"), "before", [("(DNS Pending) == TLS Ready", None, "DNS-01")]),
    (access("TLS Issuing"), "before", [("(TLS Issuing) == TLS Ready", NOW + timedelta(minutes=2), "")]),
    (access("TLS Pending", retry_at=LATER.isoformat()), "before", [("(TLS Pending) == TLS Ready", LATER, "")]),
    (access("TLS Pending", retry_at="soon"), "before",
     [("(TLS Pending) == TLS Ready", NOW + timedelta(minutes=2), "")]),
    (access("TLS Issuing", retry_at=LATER.isoformat(), message="CAA forbids it"), "before",
     [("(TLS Issuing: CAA forbids it) == TLS Ready", None, f"tries again at {LATER.isoformat()}")]),
    (access("TLS Issuing", message="CAA forbids it"), "before",
     [("(TLS Issuing: CAA forbids it) == TLS Ready", None, "no next try is announced")]),
    (access(None), "before", [("(absent) == TLS Ready", None, "")]),
    (access("DNS Verified", tls=False), "before", [("(DNS Verified) == TLS Ready with TLS on", None, "")]),
    (access("Exploded"), "before", [("(Exploded) == TLS Ready", None, "")]),
]  # fmt: skip


@pytest.mark.parametrize(("there", "certificate", "expected"), ISSUANCE)
def test_issuance(there: DomainFacts, certificate: str, expected: list[tuple[str, datetime | None, str]]) -> None:
    """On its way is a matter of time, an error is not, and DNS-01 is named where HTTP-01 cannot succeed."""
    found = platform.certificate_progresses(there, domain(certificate), now=NOW)
    assert [(one.message.removeprefix("external access for shop.example.test "), one.until) for one in found] == [
        row[:2] for row in expected
    ]
    for one, (_, _, remedy) in zip(found, expected, strict=True):
        assert remedy in one.remedy


def test_soak() -> None:
    """Too early is a matter of time; afterwards it passes; without a swap on record it cannot be told."""
    soak = timedelta(hours=48)
    swap = AppliedAction(applied=True, at=NOW - timedelta(hours=1))
    (finding,) = platform.soak_is_complete(swap, domain(), soak=soak, now=NOW)
    assert finding.message == "time since the swap of shop.example.test (1h) >= 2d"
    assert finding.until == NOW + timedelta(hours=47)
    assert platform.soak_is_complete(swap, domain(), soak=soak, now=NOW + timedelta(hours=47)) == []
    with pytest.raises(CouldNotLook, match="no swap"):
        platform.soak_is_complete(AppliedAction(applied=False), domain(), soak=soak, now=NOW)
