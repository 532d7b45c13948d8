"""The summary: one page that says all, shows what it can, and never guesses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from fix_report import SHOP, BuildReport

from kovra_checks.errors import EvidenceError
from kovra_checks.report import page
from kovra_checks.report.evidence import EvidenceWriter
from kovra_checks.report.figure import TimeAxis
from kovra_checks.report.summary import write_summary
from kovra_checks.report.traffic import count, requests_of
from kovra_checks.report.verdict import VerdictWord, read_verdict, write_verdict

VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """Reads a page, insists that every element is closed, and keeps what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.points: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("aria-labelledby", "aria-describedby"):
                self.refers.append(value or "")
            if name in ("href", "src", "xlink:href", "action", "data", "srcset", "style"):
                self.points.append(f"{tag} {name}={value}")
        assert tag not in ("script", "iframe", "object", "img", "link", "base"), tag
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read, in one line."""
        return " ".join(" ".join(self.words).split())


def render(reports: Path) -> Page:
    """The summary of *reports*, read."""
    return Page(write_summary(reports).read_text(encoding="utf-8"))


SAYS: dict[VerdictWord, tuple[str, ...]] = {
    "GO": ("All 24 expected checks passed, 1 excused by a waiver.", "Nothing. Every check", "excused readiness"),
    "NO-GO": ("2 checks failed. Do not go on", f"{SHOP} TTL at ns2.example.test (3600) <= 300", "What to do",
              f"pytest suites/precutover -k 'ttl_is_low[{SHOP}]' --rehearse", "cutover: 5 checks not reached"),
    "INCONCLUSIVE": ("Nothing but time is missing. It may be GO from 2026-03-14 10:26:00 UTC.", "too early"),
    "ROLLED-BACK": ("so the swap was undone. Users are sent to the old side", "swap undone", "status (502) == 200"),
    "STOPPED": ("Stopped in the middle of the cutover.", "interrupted by the operator"),
    "UNKNOWN": ("An action began and has no recorded end.", f"Action swap-record[{SHOP}]", "complete or undo it"),
}  # fmt: skip


@pytest.mark.parametrize("word", get_args(VerdictWord))
def test_each_verdict_is_told(report: BuildReport, word: VerdictWord) -> None:
    """The verdict, what stands against it and what to do are there in words."""
    seen = render(report(word))
    assert [said for said in (word, *SAYS[word]) if said not in seen.text] == []


@pytest.mark.parametrize("word", get_args(VerdictWord))
def test_the_page_needs_nothing_but_itself(report: BuildReport, word: VerdictWord) -> None:
    """No script, no request, nothing that points out of the page, and every reference inside it resolves."""
    reports = report(word)
    seen = render(reports)
    assert seen.points == []
    assert set(seen.refers) <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))
    css = re.search(r"<style>(.*?)</style>", (reports / "summary.html").read_text(), re.DOTALL)
    assert css is not None
    assert not re.search(r"url\(|@import|//", css[1])


def test_markup_in_what_was_seen_stays_text(report: BuildReport) -> None:
    """What systems answered is shown, never executed."""
    reports = report("NO-GO")
    verdict = read_verdict(reports / "verdict.json")
    evil = "</code><script>alert(1)</script> & status (500) == 200"
    checks = (
        replace(verdict.checks[0], outcome="failed", findings=(evil,), subject='"><img src=x>'),
        *verdict.checks[1:],
    )
    write_verdict(reports / "verdict.json", replace(verdict, checks=checks, migration="<b>"))
    seen = render(reports)
    assert evil in seen.text


def test_missing_parts_are_named(report: BuildReport) -> None:
    """A run without traffic, swap or actions still has its page, which says what is not there."""
    reports = report("INCONCLUSIVE")
    verdict = read_verdict(reports / "verdict.json")
    write_verdict(reports / "verdict.json", replace(verdict, actions=(), waivers=(), traffic=None, stages=()))
    for path in (reports / "evidence").iterdir():
        path.unlink()
    EvidenceWriter(reports / "evidence").seal(head="", key=None)
    text = render(reports).text
    for missing in (
        "No timeline",
        "No propagation",
        "No requests",
        "No actions",
        "No check is excused",
        "No stage was asked",
    ):
        assert missing in text


def test_evidence_that_does_not_verify_is_not_drawn(report: BuildReport) -> None:
    """The page says that evidence was refused, and why, instead of showing what somebody wrote into it."""
    reports = report("GO")
    assert "Requests around the swap" in render(reports).text
    with (reports / "evidence" / "traffic.jsonl").open("a") as file:
        file.write("{}\n")
    text = render(reports).text
    assert "The evidence was refused" in text
    assert "traffic.jsonl: SHA-256" in text
    assert "Requests around the swap" not in text


def test_without_a_verdict_there_is_no_summary(tmp_path: Path) -> None:
    """A page without the authority would be a guess."""
    with pytest.raises(EvidenceError, match="read the verdict"):
        write_summary(tmp_path)


def test_evidence_of_an_earlier_run_is_left_out(report: BuildReport) -> None:
    """The folder may hold another day's stage: its times do not stretch this run's pictures."""
    reports = report("GO")
    verdict = read_verdict(reports / "verdict.json")
    later = timedelta(days=2)
    stages = tuple(
        replace(stage, started=stage.started and stage.started + later, ended=stage.ended and stage.ended + later)
        for stage in verdict.stages
    )
    moved = replace(verdict, started=verdict.started + later, ended=verdict.ended + later, stages=stages, actions=())
    write_verdict(reports / "verdict.json", moved)
    text = render(reports).text
    assert "No requests" in text
    assert "No propagation" in text


def test_pictures_say_in_words_what_they_show(report: BuildReport) -> None:
    """Whoever does not see the pictures reads the same facts."""
    text = render(report("GO")).text
    assert "5 of 5 places came to show web.apps.kovra.test, the last after 3.4s." in text
    assert re.search(r"\d+ requests, 0 failed, \d+ writes told to come back and repeated", text)
    assert "1m 44s in all: readiness 3.1s, provision 19s" in text


def test_a_subject_that_pytest_cannot_select_by_is_left_out_of_the_command(report: BuildReport) -> None:
    """A wildcard is no word of `-k`: the command then looks at all subjects of the check."""
    check = read_verdict(report("GO") / "verdict.json").checks[0]
    wild = replace(check, id="ttl-is-low", stage="precutover", subject="*.example.test")
    assert page.rerun(wild, rehearsal=False) == "pytest suites/precutover -k 'ttl_is_low'"


@pytest.mark.parametrize("seconds", [0.0, 0.4, 3, 100, 5000, 90_000, 900_000, 90_000_000])
def test_time_axes_have_a_few_round_ticks(report: BuildReport, seconds: float) -> None:
    """From a rehearsal's seconds to months of soak, an axis can be read."""
    start = read_verdict(report("GO") / "verdict.json").started
    axis = TimeAxis(start, start + timedelta(seconds=seconds), 0, 100)
    ticks = axis.ticks()
    assert len(ticks) <= 11
    assert len(ticks) >= (3 if seconds > 1 else 0)
    assert all(0 <= axis.x(tick) <= 100 for tick in ticks)


def test_traffic_is_counted_by_side() -> None:
    """Addresses that answered before the swap are the old side; deferred writes are not failures."""
    lines = [
        {"host": SHOP, "t": 1.0, "ms": 5, "ok": True, "status": 200, "address": "192.0.2.1"},
        {"host": SHOP, "t": 2.0, "ms": 5, "ok": True, "status": 503, "address": "192.0.2.1", "kind": "deferred"},
        {"host": SHOP, "t": 4.0, "ms": 5, "ok": True, "status": 200, "address": "192.0.2.2", "later": 1},
        {
            "host": SHOP,
            "t": 5.0,
            "ok": False,
            "error": "ConnectionError",
            "address": None,
        },  # and took who knows how long
    ]
    requests = requests_of(lines, where="traffic.jsonl")
    counted = count(requests, requests[0].at + timedelta(seconds=2))
    assert (counted.requests, counted.failed, counted.deferred, counted.source, counted.target) == (4, 1, 1, 2, 1)
    assert count(requests, None).target == 0


def test_a_bad_line_of_traffic_is_named() -> None:
    """A log that is not understood is refused with its line, not skipped."""
    with pytest.raises(EvidenceError, match=r"traffic\.jsonl: line 1: host: Field required"):
        requests_of([json.loads('{"t": 1, "ok": true}')], where="traffic.jsonl")
