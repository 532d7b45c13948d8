"""Runs as they end in practice, made up: a whole reports folder for each verdict."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from kovra_checks.actions.base import Step
from kovra_checks.checklist.spec import Severity
from kovra_checks.gate import ActionState, CheckOutcome, GateState
from kovra_checks.migration import Waiver
from kovra_checks.observations.dns import Propagation, Sample, Watched, Watcher
from kovra_checks.outcome import Observation, Question, as_json
from kovra_checks.report.evidence import EvidenceWriter
from kovra_checks.report.summary import swapped_at
from kovra_checks.report.traffic import count, requests_of
from kovra_checks.report.verdict import (
    EXIT_CODES,
    ActionVerdict,
    CheckVerdict,
    StageVerdict,
    Verdict,
    VerdictWord,
    write_verdict,
)
from kovra_checks.stages import STAGES

__all__ = ["BuildReport", "build_report"]

BuildReport = Callable[[VerdictWord], Path]
START = datetime(2026, 3, 14, 9, 26, 0, tzinfo=UTC)
SHOP = "shop.example.test"
OLD, NEW = "127.20.30.10", "127.20.30.20"
LENGTHS = (3.1, 19.0, 14.5, 4.2, 11.8, 27.5, 13.0, 6.4)

# stage, id, subject, severity, title, guide, remedy
CHECKS: tuple[tuple[str, str, str, Severity, str, str, str], ...] = (
    ("readiness", "tenant-is-ready", "shop", "blocker", "The tenant on Kovra Cloud is ready", "Plan and tenant",
     "Wait until the tenant's status is ready, then look again."),
    ("readiness", "source-is-buildable", "web", "blocker", "The repository builds without buildpacks", "From Heroku",
     "Add a Dockerfile at the top of the repository."),
    ("readiness", "inventory-is-mapped", "shop", "critical", "Nothing at the source is forgotten", "beyond the guide",
     "Map the named things in the migration file, or leave them out by name."),
    ("provision", "app-built-from-same-commit", "web", "blocker", "The target runs the same commit", "Recreate apps",
     "Deploy the commit that the source runs."),
    ("provision", "variables-match-source", "web", "blocker", "Variables are at parity", "Recreate applications",
     "Copy the named variables, or say in the migration file why they differ."),
    ("provision", "managed-database-is-ready", "main", "blocker", "The managed database is ready", "Prerequisites",
     "Wait for status ready; a status of error needs Kovra's support."),
    ("database", "schema-matches", "main", "blocker", "Both databases have one schema", "Verify data",
     "Import again from a fresh export, into an empty database."),
    ("database", "row-counts-match", "main", "blocker", "Every table has as many rows on both sides", "Verify data",
     "Look at the named tables in the import's log; import them again."),
    ("database", "sequences-are-ahead", "main", "critical", "No sequence hands out a used number", "beyond the guide",
     "Set the named sequences to the highest number in use plus one."),
    ("pitfalls", "database-url-is-internal", "web", "critical", "The app uses the database's internal name", "Pitfalls",
     "Point DATABASE_URL at the internal service name, then deploy."),
    ("pitfalls", "uploads-are-persistent", "web", "blocker", "Uploads outlive a restart", "Pitfalls",
     "Keep uploads in object storage and set its variables."),
    ("precutover", "app-is-healthy", "web", "blocker", "The new deployment is healthy", "Pre-cutover", "See its logs."),
    ("precutover", "certificate-is-provisioned", SHOP, "blocker", "The target serves a certificate for the domain",
     "Pre-cutover: TLS certificate", "Issue it by DNS-01, or delegate _acme-challenge, before the swap."),
    ("precutover", "ttl-is-low", SHOP, "critical", "Every authoritative server shows a low TTL", "Cutover: TTL",
     "Set the TTL of the record to 300 seconds or less on every authoritative server."),
    ("precutover", "ttl-has-aged", SHOP, "critical", "The old TTL has run out everywhere", "Cutover: lower the TTL",
     "Wait until the named time: until then resolvers may hold the old record."),
    ("precutover", "smoke-test-passes", "web.home", "critical", "The smoke test passes on the generated host",
     "Pre-cutover: smoke tests", "Compare the answer with the source's and look at the app's logs."),
    ("cutover", "writes-are-fenced", "main", "blocker", "The old side takes no writes", "beyond the guide",
     "Fence the source's writes before the last copy."),
    ("cutover", "nothing-was-lost", "main", "blocker", "Each acknowledged write is in the database", "beyond the guide",
     "Copy the named rows by hand before the fence is lifted."),
    ("cutover", "change-has-propagated", SHOP, "critical", "Every resolver shows the new record", "Cutover: DNS",
     "Wait for the TTL of the old record at the named resolvers."),
    ("cutover", "domain-responds", SHOP, "blocker", "The domain answers from the new side", "Cutover: verify",
     "See whether the external access of the app is attached to this domain."),
    ("cutover", "no-request-failed", SHOP, "blocker", "No user's request failed during the swap", "Minimizing downtime",
     "Look at the named requests; both sides must serve until the old TTL has run out."),
    ("postcutover", "error-rate-holds", "web", "critical", "No more errors than before", "Post-cutover", "See logs."),
    ("postcutover", "webhook-is-delivered", "payments", "critical", "The signed webhook arrives", "Post-cutover",
     "Register the new endpoint with the sender."),
    ("decommission", "source-is-quiet", "web", "critical", "Nobody asks the old side any more", "Post-cutover: retire",
     "Find who still asks: the addresses are in the finding."),
    ("decommission", "ttl-is-restored", SHOP, "normal", "The TTL is back to normal", "Post-cutover: restore the TTL",
     "Set the record's TTL to 3600 seconds or more."),
)  # fmt: skip

# stage, id, when it begins and ends as shares of the stage, steps
ACTIONS: tuple[tuple[str, str, float, float, tuple[Step, ...]], ...] = (
    ("provision", "create-database[main]", 0.02, 0.25, (Step("database main", "", "PostgreSQL 17"),)),
    ("provision", "create-application[web]", 0.26, 0.40, (Step("application web", "", "shop/web@main"),)),
    ("provision", "copy-variables[web]", 0.41, 0.46,
     (Step("DATABASE_URL", "", "(secret)"), Step("MAIL_HOST", "", "mail.example.test"))),
    ("provision", "deploy[web]", 0.47, 0.88, (Step("commit", "", "9f31c2e"),)),
    ("database", "export-database[main]", 0.02, 0.30, (Step("dump of main", "", "48.2 MB"),)),
    ("database", "import-database[main]", 0.31, 0.78, (Step("tables in main", "0", "37"),)),
    ("precutover", f"lower-ttl[{SHOP}]", 0.03, 0.09, (Step(f"{SHOP} TTL", "3600", "300"),)),
    ("cutover", "fence-writes[main]", 0.10, 0.14, (Step("writes at the source", "accepted", "answered 503"),)),
    ("cutover", "final-sync[main]", 0.15, 0.30, (Step("rows behind", "214", "0"),)),
    ("cutover", f"swap-record[{SHOP}]", 0.31, 0.34,
     (Step(f"{SHOP} CNAME", "quiet-pine-1234.herokudns.test", "web.apps.kovra.test"),)),
    ("decommission", f"restore-ttl[{SHOP}]", 0.02, 0.08, (Step(f"{SHOP} TTL", "300", "3600"),)),
    ("decommission", "retire-source[web]", 0.40, 0.70, (Step("source processes web", "2", "0"),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ending:
    """How a made-up run ends.

    Attributes:
        stage: The stage whose gate is the last to be decided.
        gate: Its decision.
        checks: What checks of that stage came to other than passed, by id: outcome, findings, until.
        waived: Check id that a waiver excuses.
        undone: Whether the swap was undone.
    """

    stage: str
    gate: GateState
    checks: dict[str, tuple[CheckOutcome, tuple[str, ...], datetime | None]]
    waived: str | None = None
    undone: bool = False


ENDINGS: dict[VerdictWord, Ending] = {
    "GO": Ending("decommission", "GO", {}, waived="inventory-is-mapped"),
    "NO-GO": Ending("precutover", "NO-GO", {
        "certificate-is-provisioned": ("failed", (
            f"{SHOP} at {NEW}:10443 subject (CN=*.apps.kovra.test) == {SHOP}",
            f"{SHOP} at 127.20.30.21:10443 subject (CN=*.apps.kovra.test) == {SHOP}",
        ), None),
        "ttl-is-low": ("failed", (f"{SHOP} TTL at ns2.example.test (3600) <= 300",), None),
        "smoke-test-passes": ("broken", ("GET https://web.apps.kovra.test/ : no answer within 10 s",), None),
    }),
    "INCONCLUSIVE": Ending("precutover", "INCONCLUSIVE", {
        "ttl-has-aged": ("broken", (f"{SHOP} old TTL (3600 s) has run out: 41m 12s are left",),
                         START + timedelta(hours=1)),
    }),
    "ROLLED-BACK": Ending("cutover", "NO-GO", {
        "domain-responds": ("failed", (f"GET https://{SHOP}:10443/ status (502) == 200",), None),
        "no-request-failed": ("failed", (f"{SHOP}: failed requests (23) == 0, first at 09:27:08 from {NEW}",), None),
    }, undone=True),
    "STOPPED": Ending("cutover", "INCONCLUSIVE", {
        "change-has-propagated": ("not-run", ("interrupted by the operator",), None),
    }),
    "UNKNOWN": Ending("cutover", "NO-GO", {}),
}  # fmt: skip


def _times() -> dict[str, tuple[datetime, datetime]]:
    at, times = START + timedelta(seconds=0.8), {}
    for stage, length in zip(STAGES, LENGTHS, strict=True):
        times[stage] = (at, at + timedelta(seconds=length))
        at += timedelta(seconds=length + 0.4)
    return times


def _check(row: tuple[str, str, str, Severity, str, str, str], ending: Ending) -> CheckVerdict:
    stage, name, subject, severity, title, guide, remedy = row
    outcome: CheckOutcome = "passed"
    findings: tuple[str, ...] = ()
    until = None
    if STAGES.index(stage) > STAGES.index(ending.stage):
        outcome, findings = "not-reached", (f"not reached: gate {ending.stage} is not open",)
    elif name == ending.waived:
        outcome, findings = "waived", ("add-on papertrail (none) == a replacement",)
    elif stage == ending.stage and name in ending.checks:
        outcome, findings, until = ending.checks[name]
    took = None if outcome in ("not-reached", "not-run") else round(0.02 + len(name) / 90, 3)
    return CheckVerdict(name, subject, stage, title, severity, outcome, findings, remedy, guide, took, until)


def _stage(name: str, ending: Ending, checks: list[CheckVerdict]) -> StageVerdict:
    mine = [check for check in checks if check.stage == name]
    behind = STAGES.index(name) - STAGES.index(ending.stage)
    if behind > 0:
        return StageVerdict(name, "not-reached", (), len(mine), 0, None, None)
    reasons = tuple(f"{c.full_id}: {c.outcome}: {c.findings[0]}" for c in mine if c.outcome not in ("passed", "waived"))
    gate = ending.gate if behind == 0 else "GO"
    executed = sum(check.outcome != "not-run" for check in mine)
    return StageVerdict(name, gate, reasons if behind == 0 else (), len(mine), executed, *_times()[name])


def _actions(word: VerdictWord, ending: Ending) -> tuple[ActionVerdict, ...]:
    made = []
    for stage, name, begin, end, steps in ACTIONS:
        if STAGES.index(stage) > STAGES.index(ending.stage):
            continue
        started, ended = _times()[stage]
        length = ended - started
        state: ActionState = "applied"
        stop: datetime | None = started + length * end
        message = ""
        if ending.undone and name.startswith(("swap-record", "fence-writes")):
            state, stop = "undone", started + length * 0.92
        if word == "UNKNOWN" and name.startswith("swap-record"):
            state, stop, message = "unknown", None, "began and has no recorded end"
        made.append(ActionVerdict(name, stage, state, steps, started + length * begin, stop, message, "4be1c09d77aa"))
    return tuple(made)


def _verdict(word: VerdictWord) -> Verdict:
    ending = ENDINGS[word]
    checks = [_check(row, ending) for row in CHECKS]
    waiver = Waiver(
        check="inventory-is-mapped",
        reason="Logs go to the new provider from day one",
        by="R. Okafor",
        until=date(2026, 4, 1),
    )
    early = [check.until for check in checks if check.until is not None]
    return Verdict(
        version=1, migration="shop", config_digest="7d1f" * 16, run_id="20260314T092600-5be2", rehearsal=True,
        scope=STAGES, verdict=word, exit_code=EXIT_CODES[word], started=START,
        ended=_times()[ending.stage][1] + timedelta(seconds=0.6), until=max(early, default=None),
        stages=tuple(_stage(name, ending, checks) for name in STAGES), checks=tuple(checks),
        actions=_actions(word, ending), waivers=(waiver,), traffic=None,
    )  # fmt: skip


def _traffic(verdict: Verdict) -> list[dict[str, Any]]:
    """Seventy requests a second, slower and fenced around the swap, failing after it if it was undone."""
    chance = random.Random(42)  # noqa: S311 -- made-up traffic
    swap, times = swapped_at(verdict), _times()["cutover"]
    undone = next((a.ended for a in verdict.actions if a.state == "undone"), None)
    lines = []
    at = verdict.started
    while at < verdict.ended:
        new = swap is not None and at > swap + timedelta(seconds=chance.expovariate(1.2))
        if undone is not None and at > undone + timedelta(seconds=chance.expovariate(1.5)):
            new = False
        write = chance.random() < 0.25
        fenced = write and not new and times[0] + timedelta(seconds=2.6) < at < (undone or verdict.ended)
        fails = new and undone is not None and chance.random() < 0.06
        ms = chance.lognormvariate(2.5 if new else 2.9, 0.45) * (1.7 if write else 1) * (0.3 if fenced else 1)
        lines.append({
            "t": round(at.timestamp(), 4), "host": SHOP, "method": "POST" if write else "GET",
            "path": "/orders" if write else "/", "status": 502 if fails else 503 if fenced else 201 if write else 200,
            "ms": round(ms, 2), "address": NEW if new else OLD, "ok": not fails, "error": None,
            "kind": "deferred" if fenced else "write" if write else "read",
        })  # fmt: skip
        at += timedelta(seconds=chance.expovariate(70))
    return lines


def _samples(swap: datetime, delay: float, end: datetime, back: datetime | None) -> tuple[Sample, ...]:
    found = []
    at = swap + timedelta(seconds=0.1)
    while at < end:
        new = at > swap + timedelta(seconds=delay) and (back is None or at < back)
        value = "web.apps.kovra.test" if new else "quiet-pine-1234.herokudns.test"
        found.append(Sample(at, (value,), 1))
        at += timedelta(seconds=0.25)
    return tuple(found)


def _watched(swap: datetime) -> Observation:
    places: tuple[tuple[str, Literal["authoritative", "resolver"], float], ...] = (
        ("127.20.30.53:53", "authoritative", 0.05), ("127.20.30.54:53", "authoritative", 0.6),
        ("127.20.30.61:53", "resolver", 0.9), ("127.20.30.62:53", "resolver", 1.9),
        ("127.20.30.63:53", "resolver", 3.2),
    )  # fmt: skip
    end = swap + timedelta(seconds=4)
    watchers = tuple(Watcher(server, kind, _samples(swap, delay, end, None)) for server, kind, delay in places)
    asked = Propagation("example.test", SHOP, "web.apps.kovra.test", "quiet-pine-1234.herokudns.test")
    seen = Watched(SHOP, ("web.apps.kovra.test",), watchers, "everywhere", 3.9)
    return _observation(asked, end, 3.9, dict(as_json(seen)))


def _observation(asked: Question[Any], at: datetime, took: float, answer: dict[str, Any]) -> Observation:
    return Observation(asked.key(), asked.kind, asked.fields(), at, took, "ci-runner-7", answer, None)


def _looks(stage: str) -> list[Observation]:
    """A stage's questions: put at once after its actions, answered one by one."""
    chance = random.Random(stage)  # noqa: S311 -- made-up times
    start, end = _times()[stage]
    length = (end - start).total_seconds()
    looks = []
    for number in range(26):
        took = min(chance.expovariate(1 / (length * 0.04)) + 0.01, length * 0.09)
        at = start + timedelta(seconds=length * 0.9 + took)
        looks.append(Observation(f"{number:016x}", "http-exchange", {"url": "/"}, at, took, "ci-runner-7", {}, None))
    return looks


def build_report(reports: Path, word: VerdictWord) -> Verdict:
    """Write verdict.json and a sealed evidence folder of a run that ends with *word* into *reports*."""
    verdict = _verdict(word)
    writer = EvidenceWriter(reports / "evidence")
    for stage in verdict.stages:
        if stage.started is not None:
            writer.record(stage.name, _looks(stage.name))
    swap = swapped_at(verdict)
    if swap is not None:
        writer.record("cutover", [_watched(swap)])
    lines = _traffic(verdict)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (reports / "evidence" / "traffic.jsonl").write_text(text, encoding="utf-8")
    writer.seal(head="c0ffee" * 10 + "beef", key=b"\7" * 32)
    verdict = replace(verdict, traffic=count(requests_of(lines, where="traffic.jsonl"), swap))
    write_verdict(reports / "verdict.json", verdict)
    return verdict


@pytest.fixture(name="report")
def _report(tmp_path: Path) -> BuildReport:
    """Builds the reports folder of a run that ends with the given verdict."""

    def build(word: VerdictWord) -> Path:
        reports = tmp_path / word.lower()
        reports.mkdir()
        build_report(reports, word)
        return reports

    return build
