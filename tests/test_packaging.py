"""The wheel alone is enough: command, suites, settings and data come with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kovra_checks.stages import STAGES

ROOT = Path(__file__).parent.parent


def run(
    command: Sequence[str | Path], directory: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """*command* in *directory*, with output."""
    return subprocess.run(
        [str(part) for part in command], cwd=directory, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout with the locked backend."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("kovra_checks", "suites", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "migration.example.toml", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    built = run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"], copy)
    assert built.returncode == 0, built.stdout + built.stderr
    (one,) = (copy / "dist").glob("*.whl")
    return one


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed into it, and nothing else; the libraries are this interpreter's."""
    folder = tmp_path_factory.mktemp("installed")
    uv = shutil.which("uv")
    installer = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    done = run([*installer, "--no-deps", "--target", folder, wheel], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's folder: a configuration, and none of our files."""
    shutil.copy(ROOT / "migration.example.toml", tmp_path / "migration.toml")
    return tmp_path


def command(installed: Path, arguments: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """The installed `kovra-checks`, which finds its own package before any other."""
    script = installed / "bin" / "kovra-checks"
    return run([sys.executable, script, *arguments], directory, {"PYTHONPATH": str(installed)})


def test_wheel_carries_what_is_needed(wheel: Path) -> None:
    """Suites of every stage, settings, types and licence are in; tests and caches are not."""
    names = zipfile.ZipFile(wheel).namelist()
    for stage in STAGES:
        shipped = {path.name for path in (ROOT / "suites" / stage).glob("test_*.py")}
        assert shipped <= {Path(name).name for name in names if name.startswith(f"kovra_checks/suites/{stage}/")}
    assert {"kovra_checks/py.typed", "kovra_checks/cli/suites.ini"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "suites/", "bench/")) or "__pycache__" in name]


def test_every_data_file_is_in_the_wheel(wheel: Path) -> None:
    """Templates, schemas and other data of the package are shipped as they are."""
    names = set(zipfile.ZipFile(wheel).namelist())
    data = (path for path in (ROOT / "kovra_checks").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert {path.relative_to(ROOT).as_posix() for path in data} - names == set()


def test_installed_command_validates(installed: Path, team: Path) -> None:
    """`kovra-checks validate` from the wheel, in a folder of its own."""
    done = command(installed, ["validate"], team)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("migration.toml: valid; migration shop-to-kovra")


def test_installed_suites_are_collected_by_pytest(installed: Path, team: Path) -> None:
    """`kovra-checks run precutover` from the wheel reaches pytest with its suites, whatever lies around."""
    (team / "pyproject.toml").write_text('[tool.pytest]\naddopts = ["--no-such-option"]\n')
    done = command(installed, ["run", "precutover", "--migration", "migration.toml", "--collect-only", "-q"], team)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nsuites/precutover/test_dns.py::test_ttl_is_low[shop.example.com]\n" in done.stdout, done.stdout
    assert not list(installed.rglob(".pytest_cache"))


def test_hooks_in_the_teams_conftest_are_seen(installed: Path, team: Path) -> None:
    """A conftest.py where the command is started takes part, as it does with `pytest suites`."""
    (team / "conftest.py").write_text(
        "def pytest_report_header(config):\n    return 'the conftest of the team takes part'\n"
    )
    done = command(installed, ["run", "precutover", "--collect-only"], team)
    assert "the conftest of the team takes part" in done.stdout


def test_installed_run_teaches(installed: Path, team: Path) -> None:
    """`kovra-checks run --help` shows how."""
    done = command(installed, ["run", "--help"], team)
    assert done.returncode == 0
    assert "kovra-checks run cutover --apply" in done.stdout
