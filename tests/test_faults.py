"""Every fault of the catalogue is noticed by the checks it names, by no other, and the run ends as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fix_faults import StagedMove

from kovra_checks.checklist import CHECKLIST
from kovra_checks.cli.faults import markdown
from kovra_checks.cli.main import main
from kovra_checks.lab.faults import FAULTS
from kovra_checks.stages import STAGES

EXIT_CODES = {"NO-GO": 10, "ROLLED-BACK": 13, "INCONCLUSIVE": 14}
IN_ORDER = sorted(FAULTS, key=lambda name: (STAGES.index(FAULTS[name].stage), name))


@pytest.mark.parametrize("name", IN_ORDER)
def test_fault_is_noticed_by_its_checks_alone(name: str, staged_move: StagedMove) -> None:
    """Exactly the named checks (and actions) go wrong, they say what to do, and the verdict is the fault's."""
    fault, run = FAULTS[name], staged_move.broken_by(name)
    assert run.verdict, run.output
    seen = (run.noticed, run.failed_actions, run.verdict["verdict"], run.exit_code)
    expected = (set(fault.checks), set(fault.actions), fault.verdict, EXIT_CODES[fault.verdict])
    assert seen == expected, run.output
    assert fault.remedy in run.said


def test_catalogue_reaches_every_stage() -> None:
    """Each of the eight stages has something that can break, and each fault says what is to be done about it."""
    assert {fault.stage for fault in FAULTS.values()} == set(STAGES)
    assert all(fault.remedy and fault.breaks for fault in FAULTS.values())


def test_faults_name_checks_of_their_stage() -> None:
    """A fault names only checks of the checklist that its stage has."""
    for fault in FAULTS.values():
        here = {spec.id for spec in CHECKLIST.values() if spec.implemented and fault.stage in spec.stages}
        assert set(fault.checks) <= here, fault.name
        assert fault.checks or fault.actions, fault.name


def test_faults_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """`kovra-checks faults --json` lists every fault with name, breaks, stage and checks."""
    assert main(["faults", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in listed} == set(FAULTS)
    assert all({"name", "breaks", "stage", "checks"} <= set(one) for one in listed)


def test_faults_page_is_current() -> None:
    """docs/faults.md is what the catalogue says now (`make docs`)."""
    page = Path(__file__).parent.parent / "docs" / "faults.md"
    assert page.read_text(encoding="utf-8") == markdown() + "\n"
