"""The command line: exit codes, messages, and no traceback of our own errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kovra_checks.checklist import CHECKLIST, expected
from kovra_checks.cli.checks import markdown
from kovra_checks.cli.main import COMMANDS, main
from kovra_checks.config import load
from kovra_checks.lab.faults import FAULTS
from kovra_checks.stages import STAGES

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "migration.example.toml"


def run(arguments: Sequence[str | Path], directory: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, started in *directory*."""
    command = [sys.executable, "-m", "kovra_checks.cli.main", *map(str, arguments)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


def test_validate_tells_what_would_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """A right file: exit 0, and the number of checks per stage."""
    assert main(["validate", str(EXAMPLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    migration = load(EXAMPLE)
    assert lines[0].startswith(f"{EXAMPLE}: valid; migration shop-to-kovra, digest {migration.digest[:16]}")
    told = {line.split()[0]: int(line.split()[1]) for line in lines[2:]}
    counts = {stage: len(expected(migration, stage)) for stage in STAGES}
    assert told == {**counts, "together": sum(counts.values())}


def test_validate_takes_the_file_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name it is migration.toml, and the environment's overlay beside it counts."""
    (tmp_path / "migration.toml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "migration.bad.toml").write_text("[policy]\nlow_ttl = 301\n")
    monkeypatch.chdir(tmp_path)
    assert main(["validate"]) == 0
    assert main(["validate", "--environment", "bad"]) == 4
    assert "migration.bad.toml:2: policy.low_ttl: found 301" in capsys.readouterr().err


MALFORMED = {
    "no such file": (None, "no such file"),
    "not UTF-8": (b'name = "\xff"', "not UTF-8"),
    "syntax": (b"name = shop\n", "migration.toml:1: not TOML"),
    "empty": (b"", "apps: required table is missing"),
    "unknown key": (b"[apps.web]\nhelth_path = '/'\n", "Did you mean `health_path`?"),
    "wrong choice": (b"[source]\nplatform = 'herku'\n", "Did you mean `heroku`?"),
    "wrong type": (b"[apps.web]\nport = 'http'\n", 'apps.web.port: found "http"'),
    "unknown reference": (b"[jobs.a]\napp = 'web'\nschedule = '@daily'\ncommand = 'x'\n", 'no apps entry "web"'),
    "literal secret": (b"[databases.main]\nsource_url = 'postgres://a:hunter2secret@b/c'\n", "env:NAME"),
    "apex with a CNAME": (
        b"[domains.'example.com']\napp = 'web'\nzone = 'example.com'\ntarget = 'a.b'\nsource_target = 'c.d'\n",
        "a zone apex cannot hold a CNAME",
    ),
    "key twice": (b"name = 'a'\nname = 'b'\n", "migration.toml:2: not TOML"),
    "keys in place of tables": (b"apps = 1\nwaivers = 2\npolicy = 3\nsource = []\n", "apps: 1 where named tables"),
}


@pytest.mark.parametrize(("content", "told"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_configuration(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    told: str,
) -> None:
    """A wrong file: exit 4, a sentence that names the place, nothing else raised, never the secret."""
    if content is not None:
        (tmp_path / "migration.toml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert main(["validate"]) == 4
    seen = capsys.readouterr()
    assert seen.out == ""
    assert told in seen.err
    assert "hunter2secret" not in seen.err


@pytest.mark.parametrize("arguments", [["validate"], ["bogus"], ["run", "x"]])
def test_process_exits_4_without_traceback(arguments: list[str], tmp_path: Path) -> None:
    """What a CI job sees of a missing file, a wrong command, a wrong stage."""
    done = run(arguments, tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["validate", "a", "b"], ["checks", "--stage", "x"]])
def test_wrong_usage_exits_4(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error has pytest's own number for it, and the way to the help."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 4
    assert "--help` shows examples" in capsys.readouterr().err


def test_every_command_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each command shows at least one line to copy."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    names = [command.__name__.rpartition(".")[2] for command in COMMANDS if hasattr(command, "__name__")]
    for name in names:
        assert f"    {name} " in told
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"kovra-checks {name}" in capsys.readouterr().out.partition("examples:")[2]


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """`schema` prints the schema and nothing else."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "kovra-checks migration file"


def test_faults_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The documented keys, and checks that exist."""
    assert main(["faults", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert sorted(one["name"] for one in listed) == sorted(FAULTS)
    for one in listed:
        assert set(one) >= {"name", "breaks", "stage", "checks"}
        assert one["stage"] in STAGES
        assert set(one["checks"]) <= CHECKLIST.keys()


def test_faults_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault by name with its sentence."""
    assert main(["faults"]) == 0
    told = capsys.readouterr().out
    assert all(fault.name in told and fault.breaks in told for fault in FAULTS.values())


def test_checks_lists_planned_ones_as_planned(capsys: pytest.CaptureFixture[str]) -> None:
    """Every id is listed; what is not built is marked so."""
    assert main(["checks"]) == 0
    told = capsys.readouterr().out
    for spec in CHECKLIST.values():
        assert f"  {spec.id} [{spec.each}]{'' if spec.implemented else '  (planned)'}\n" in told


def test_checks_page_is_current() -> None:
    """docs/checks.md is what the checklist says now (`make docs`)."""
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == markdown() + "\n"


def test_reader_that_has_seen_enough() -> None:
    """`kovra-checks schema | head -1` ends quietly."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m kovra_checks.cli.main schema | head -n 1"],  # noqa: S607
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("{\n", "")
