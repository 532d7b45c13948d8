"""The family's check functions against the two control APIs: a finished target passes, and each fault is noticed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fix_platforms import COMMIT, CONFIG, KOVRA_TOKEN, SOURCE_URL, TARGET_URL, Platforms, record

from kovra_checks.checklist.platform import CHECKS
from kovra_checks.lab.faults.base import Fault
from kovra_checks.lab.faults.platform import FAULTS
from kovra_checks.migration import Migration
from kovra_checks.observations.platform import VariableParity
from kovra_checks.observations.postgres import Server, ServerFacts
from kovra_checks.outcome import Observations, as_json
from kovra_checks.platforms.observe import ANSWERERS
from kovra_checks.probes.ledger import ANSWERERS as LEDGER
from kovra_checks.run.judging import Judgement, judge
from kovra_checks.run.observing import observe
from kovra_checks.stages import STAGES
from kovra_checks.subjects import subjects
from kovra_checks.suite import spec_of

SUITES = Path(__file__).parents[1] / "suites"
AREAS = ("apps", "variables", "jobs", "readiness", "leftovers")


def source_server(_question: ServerFacts, _access: Any) -> Server:
    """The source's PostgreSQL 17, which no test here needs to run."""
    return Server(170004, "UTF8", "C", "C", {}, {}, (), tls=False, size_bytes=1)


def functions(stage: str) -> Iterator[Any]:
    """The family's check functions of *stage*."""
    for area in AREAS:
        path = SUITES / stage / f"test_{area}.py"
        if path.is_file():
            spec = importlib.util.spec_from_file_location(f"suite_{stage}_{area}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            yield from (one for one in vars(module).values() if spec_of(one) is not None)


def run(platforms: Platforms, stage: str, migration: Migration | None = None) -> dict[str, Judgement]:
    """Judgements of the family's checks of *stage*, by id without subject (one subject of each kind)."""
    access = platforms.access(migration)
    checks = []
    for function in functions(stage):
        spec = spec_of(function)
        assert spec is not None
        for subject in subjects(spec.each, access.migration):
            given = {"migration": access.migration, spec.each: subject.value}
            wanted = {name: given[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]}
            checks.append((spec, function(**wanted)))
    answerers = {**ANSWERERS, **LEDGER, ServerFacts: source_server}
    seen = Observations(observe([question for _, check in checks for question in check.asks], answerers, access))
    today = datetime.now(UTC).date()
    return {spec.id: judge(spec.id, spec, check, seen, (), today=today) for spec, check in checks}


def test_each_check_has_its_function_in_each_of_its_stages() -> None:
    """What the checklist says is implemented stands in the suites, and nothing else does."""
    found = {(one.id, stage) for stage in STAGES for one in map(spec_of, functions(stage)) if one is not None}
    assert found == {(spec.id, stage) for spec in CHECKS if spec.implemented for stage in spec.stages}


@pytest.mark.parametrize("stage", ["readiness", "provision", "pitfalls", "precutover", "postcutover", "decommission"])
def test_all_checks_pass_on_a_finished_target(platforms: Platforms, stage: str) -> None:
    """On a target as a good move leaves it, no check of the family has a finding."""
    prepare(platforms, stage)
    results = run(platforms, stage)
    assert results
    assert {name: one.result.findings for name, one in results.items() if one.result.outcome != "passed"} == {}


def prepare(platforms: Platforms, stage: str) -> None:
    """The world as it is when *stage* is looked at."""
    if stage != "readiness":
        platforms.build_target()
    if stage == "postcutover":
        platforms.heroku.edit("shop-web")["formation"]["clock"]["quantity"] = 0
        platforms.kovra.app("web")["jobs"]["nightly"]["suspended"] = False
    if stage == "decommission":
        at = (datetime.now(UTC) - timedelta(hours=49)).isoformat()
        platforms.ledger.records["swap-record[shop.example.test]"] = record("swap-record[shop.example.test]", at)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_noticed_by_exactly_its_checks(platforms: Platforms, fault: Fault) -> None:
    """The checks a fault names fail or break in its stage, no other of the family does, and the words help."""
    prepare(platforms, fault.stage)
    for app in platforms.kovra.state["apps"].values():
        app["variables"]["S3_ENDPOINT"] = "https://s3.example.test"
    platforms.heroku.edit("shop-web")["config"]["S3_ENDPOINT"] = "https://s3.example.test"
    fault.inject(SimpleNamespace(heroku=platforms.heroku, kovra=platforms.kovra))  # type: ignore[arg-type]
    results = run(platforms, fault.stage)
    noticed = {name for name, one in results.items() if one.result.outcome != "passed"}
    assert noticed == set(fault.checks)
    words = [word for name in noticed for word in (*results[name].result.findings, *results[name].remedies)]
    assert fault.remedy
    assert fault.remedy in " ".join(words)


def test_the_soak_is_a_matter_of_time(platforms: Platforms) -> None:
    """A check that is only too early breaks, and says until when."""
    swapped = datetime.now(UTC)
    platforms.ledger.records["swap-record[shop.example.test]"] = record("swap", swapped.isoformat())
    result = run(platforms, "decommission")["soak-is-complete"].result
    assert result.outcome == "broken"
    assert result.until == swapped + timedelta(hours=48)


def test_a_job_that_was_handed_over_belongs_to_the_target(platforms: Platforms) -> None:
    """Once the ledger holds the hand-over, the pitfalls stage expects the target to run it."""
    prepare(platforms, "postcutover")
    assert run(platforms, "pitfalls")["scheduled-jobs-exist"].result.outcome == "failed"
    platforms.ledger.records["hand-over-job[nightly]"] = record("hand-over", datetime.now(UTC).isoformat())
    assert run(platforms, "pitfalls")["scheduled-jobs-exist"].result.outcome == "passed"


def test_no_value_leaves_the_probe(platforms: Platforms) -> None:
    """The answer to the variables question holds digests and traits, and none of the values."""
    platforms.build_target()
    access = platforms.access()
    table = ANSWERERS[VariableParity](VariableParity("web"), access)
    text = str(as_json(table))
    assert not [value for value in (*CONFIG.values(), TARGET_URL) if value in text and value != "info"]
    traits = {one.name: one for one in table.source}["DATABASE_URL"]
    assert (traits.origin, traits.old_hosts) == ("addon", ())
    assert traits.url is not None
    assert (traits.url.host, traits.url.port, traits.url.sslmode) == ("127.0.0.70", 15432, None)
    same = {one.name: one.digest for one in table.source}["SECRET_KEY"]
    assert same == {one.name: one.digest for one in table.target}["SECRET_KEY"]


OLD_HOSTS = [
    ("https://shop-web-1a2b.herokuapp.com/x", ("shop-web-1a2b.herokuapp.com",), ()),
    ("amqp://u:p@bunny.railway.internal:5672", ("bunny.railway.internal",), ()),
    ("HOST=Quiet-Pine-1234.HerokuDNS.test", ("quiet-pine-1234.herokudns.test",), ()),
    ("redis://red-abc123:6379", (), ("red-abc123",)),
    ("postgresql://u:p@dpg-abc123-a/db", (), ("dpg-abc123-a",)),
    ("https://notherokuapp.com", (), ()),
    ("redeployed-discoveries", (), ()),
]


@pytest.mark.parametrize(("value", "old", "private"), OLD_HOSTS)
def test_hosts_of_the_old_side_are_found(
    platforms: Platforms, value: str, old: tuple[str, ...], private: tuple[str, ...]
) -> None:
    """Hosts below the old suffixes, the domains' old targets and private names are told, and only those."""
    platforms.build_target(EXTRA=value)
    table = ANSWERERS[VariableParity](VariableParity("web"), platforms.access())
    extra = next(one for one in table.target if one.name == "EXTRA")
    assert (extra.old_hosts, extra.private_hosts) == (old, private)


def test_an_api_that_refuses_breaks_its_checks(platforms: Platforms) -> None:
    """A revoked token makes checks broken: neither passed nor failed."""
    platforms.build_target()
    (platforms.directory / "kovra").write_text("canary-revoked")
    results = run(platforms, "provision")
    assert {one.result.outcome for one in results.values()} == {"broken"}
    assert KOVRA_TOKEN not in str(results)
    assert SOURCE_URL not in str(results)


def test_a_source_that_names_no_process_breaks_the_job_check(platforms: Platforms) -> None:
    """With a generic source nobody can say who runs the job."""
    platforms.build_target()
    apps = [{"name": "web", "source": "shop-web", "commit": COMMIT}]
    results = run(platforms, "pitfalls", platforms.migration(source={"platform": "generic"}, apps=apps))
    assert results["scheduled-jobs-exist"].result.outcome == "broken"
    assert "names no process type" in results["scheduled-jobs-exist"].result.findings[0]
