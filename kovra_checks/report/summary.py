"""`reports/summary.html`: the run on one page, from verdict.json and the evidence and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import jinja2

from kovra_checks.errors import EvidenceError
from kovra_checks.outcome import Observation
from kovra_checks.report import page
from kovra_checks.report.evidence import EvidenceReader
from kovra_checks.report.figure import Figure
from kovra_checks.report.latency import Moment, latency
from kovra_checks.report.propagation import propagation
from kovra_checks.report.timeline import timeline
from kovra_checks.report.traffic import Request, requests_of
from kovra_checks.report.verdict import FILE, Verdict, read_verdict

__all__ = ["EVIDENCE", "SUMMARY", "swapped_at", "write_summary"]

EVIDENCE = "evidence"
SUMMARY = "summary.html"
TRAFFIC = ("traffic", "watch")  # files of requests in the evidence


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the evidence gave, and what it did not.

    Attributes:
        reader: The verified evidence; None if it was refused.
        problem: Why it was refused, or "".
        observations: By stage, those of this run.
        requests: Of all traffic logs, those of this run.
    """

    reader: EvidenceReader | None
    problem: str
    observations: Mapping[str, tuple[Observation, ...]]
    requests: list[Request]


def swapped_at(verdict: Verdict) -> datetime | None:
    """When the first record was swapped: traffic after it may reach the new side. None if none was."""
    moments = [moment.at for moment in _moments(verdict) if moment.name.startswith("swap")]
    return min(moments, default=None)


def write_summary(reports: Path) -> Path:
    """Render `summary.html` in *reports*; returns its path.

    Parts whose evidence is missing say so. Evidence that does not verify is not drawn from, and the page says that too.

    Raises:
        EvidenceError: There is no readable verdict.json.
    """
    verdict = read_verdict(reports / FILE)
    seen = _look(reports / EVIDENCE, verdict)
    moments = _moments(verdict)
    figures: dict[str, Figure | None] = {
        "timeline": timeline(verdict, seen.observations),
        "traffic": latency(seen.requests, moments, swapped_at(verdict)),
    }
    watched = propagation((one for stage in seen.observations.values() for one in stage), moments)
    text = _environment().get_template("summary.html.j2").render(
        verdict=verdict, page=page, figures=figures, watched=watched, seen=seen, tool=version("kovra-checks")
    )  # fmt: skip
    path = reports / SUMMARY
    path.write_text(text, encoding="utf-8")
    return path


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kovra_checks.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _look(directory: Path, verdict: Verdict) -> _Seen:
    try:
        reader = EvidenceReader(directory)
        observations = {
            stage: tuple(one for one in reader.observations(stage) if _belongs(one.at, verdict))
            for stage in reader.stages
        }
        requests = [
            request
            for name in TRAFFIC
            for request in requests_of(reader.lines(name), where=f"{name}.jsonl")
            if _belongs(request.at, verdict)
        ]
    except EvidenceError as error:
        return _Seen(None, str(error), {}, [])
    return _Seen(reader, "", observations, sorted(requests, key=lambda request: request.at))


def _belongs(at: datetime, verdict: Verdict) -> bool:
    """Whether it is of this run: the folder may also hold what an earlier stage's run recorded."""
    return verdict.started <= at <= verdict.ended


def _moments(verdict: Verdict) -> list[Moment]:
    """What the pictures mark: writes fenced, records swapped, the swap undone."""
    found: dict[str, Moment] = {}
    for action in verdict.actions:
        name = action.id.split("[", 1)[0]
        if action.state in ("applied", "undone") and name == "swap-record":
            _keep(found, "swap", action.started)  # from here on an answer may come from either side
            if action.state == "undone":
                _keep(found, "swap undone", action.ended)
        elif action.state in ("applied", "undone") and name == "fence-writes":
            _keep(found, "writes fenced", action.started)
    return sorted(found.values(), key=lambda moment: moment.at)


def _keep(found: dict[str, Moment], name: str, at: datetime | None) -> None:
    """The first of several: each domain has its own swap."""
    if at is not None and (name not in found or at < found[name].at):
        found[name] = Moment(at, name)
