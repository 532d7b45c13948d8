"""`kovra-checks run`: pytest over the shipped suites, for a team that has no checkout.

It adds nothing to `pytest suites/<stage>` but the place of the suites: same options, same plugin, same exit codes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.config.problems import did_you_mean
from kovra_checks.errors import ConfigError
from kovra_checks.shipped import suites_folder
from kovra_checks.stages import STAGES

__all__ = ["add", "arguments_here", "pytest_arguments", "replace_process"]

_EXAMPLES = """\
  kovra-checks run readiness                                  look at one stage; exit 0 only on GO
  kovra-checks run readiness provision -n 8                   two stages, eight processes
  kovra-checks run cutover --apply --plan SHA                 act, if the plan is still the reviewed one
  kovra-checks run --rehearse --apply                         the whole move in the lab
  kovra-checks run precutover --migration m.toml -k ttl -x    whatever pytest takes comes last
"""

# Of the plugin's and pytest-xdist's options, those that take a value: what follows them is no stage.
_VALUED = frozenset({
    "--migration", "--environment", "--plan", "--reports", "--replay-evidence", "--world", "--servers", "--fault",
    "--lab", "-n", "--numprocesses",
})  # fmt: skip
_PLAIN = re.compile(r"--apply|--rehearse|-n(\d+|auto|logical)|-[vqsx]+")
_INI = Path(__file__).with_name("suites.ini")


def add(subparsers: Subparsers) -> None:
    """Register the command, for `--help`; its arguments go to pytest as they are."""
    parser = add_command(subparsers, "run", what="run the suites of one or more stages with pytest", examples=_EXAMPLES)
    parser.add_argument("stages", metavar="STAGE", nargs="*", help=f"{', '.join(STAGES)}; all of them unless given")
    parser.add_argument("--migration", metavar="FILE", help="the configuration (migration.toml)")
    parser.add_argument("--environment", metavar="NAME", help="merge migration.NAME.toml over it, table by table")
    parser.add_argument("--apply", action="store_true", help="apply the stage's actions; without it they are planned")
    parser.add_argument("--plan", metavar="SHA", help="with --apply: only if the stage's plan has this checksum")
    parser.add_argument("--rehearse", action="store_true", help="in the lab instead of the world")
    parser.add_argument("-n", metavar="N", help="number of processes (pytest-xdist)")
    parser.add_argument("pytest", metavar="...", nargs="*", help="anything else pytest takes, after these")


def replace_process(arguments: Sequence[str]) -> NoReturn:
    """Become pytest: its signals, output and exit code are ours. Raises ConfigError for a word that is no stage.

    A fresh interpreter, because pytest must see our package before anything has imported it; `-m` puts the folder where
    this was started on the path, as hooks in a conftest.py there need it.
    """
    command = [sys.executable, "-m", "pytest", *arguments_here(arguments)]
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell, by design


def arguments_here(arguments: Sequence[str]) -> list[str]:
    """`pytest_arguments` with the shipped suites and what stands in the folder where this was started."""
    folder = suites_folder()
    # Above the suites pytest finds it by itself.
    extended = Path("conftest.py").is_file() and Path.cwd() not in folder.parents
    own = Path.cwd() / "suites"
    beside = own if own.is_dir() and own.resolve() != folder.resolve() else None
    return pytest_arguments(arguments, folder, own=beside, extended=extended)


def pytest_arguments(
    arguments: Sequence[str], folder: Path, *, own: Path | None = None, extended: bool = False
) -> list[str]:
    """The arguments of pytest for ours.

    Args:
        arguments: Stages and our options in any order; from the first option that is not ours on, all goes to pytest.
        folder: The suites.
        own: The user's own suites, run beside them.
        extended: Whether the conftest.py of the folder where this was started is loaded as well.

    Raises:
        ConfigError: A word is no stage.
    """
    stages, rest = _split(arguments)
    asked = [stage for stage in STAGES if stage in stages] or [""]
    paths = [str(folder / stage) for stage in asked]
    paths += [str(own / stage) for stage in asked if own is not None and (own / stage).is_dir()]
    hooks = ["-p", "conftest"] if extended else []
    if not is_installed(folder):
        return [*hooks, *paths, *rest]  # pytest finds the checkout's own settings
    # Installed suites lie below somebody's project or none: not their settings but ours, and the package as root, so
    # that the ids are those of a checkout; with suites of the user's own beside them, the nearest folder above both,
    # since an id must name its stage. The cache stays out of the installation.
    root = folder.parent if own is None else os.path.commonpath([folder.parent, own])
    settings = ["-c", str(_INI), f"--rootdir={root}", "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    return [*settings, *hooks, *paths, *rest]


def is_installed(folder: Path) -> bool:
    """Whether *folder* came with a wheel rather than a checkout."""
    return folder.parent.name == "kovra_checks"


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    stages: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in STAGES:
            stages.append(word)
        elif word in _VALUED:
            rest += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.partition("=")[0] in _VALUED or _PLAIN.fullmatch(word):
            rest.append(word)
        elif word.startswith("-"):
            rest += [word, *words]
        else:
            raise ConfigError(
                "read the command line",
                seen=f"there is no stage {word!r}",
                remedy=f"{did_you_mean(word, STAGES)}Stages: {', '.join(STAGES)}",
            )
    return stages, rest
