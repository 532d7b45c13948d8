"""For commands that need the extensions of the folder where they are started."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pluggy import HookRelay

from kovra_checks.cli.common import migration_of
from kovra_checks.cli.run import arguments_here
from kovra_checks.config.problems import did_you_mean
from kovra_checks.errors import ConfigError
from kovra_checks.migration import Migration
from kovra_checks.run.standalone import StandaloneRun, with_hooks
from kovra_checks.stages import STAGES

__all__ = ["in_run", "stage_named"]

Opening = Callable[[HookRelay, Migration], AbstractContextManager[StandaloneRun]]


def in_run(options: argparse.Namespace, opening: Opening, work: Callable[[StandaloneRun], int]) -> int:
    """The exit code of *work* in the run that *opening* opens, with the hooks `kovra-checks run` would have."""
    migration = migration_of(options)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m pytest` does: hooks in conftest.py may import their neighbours

    def inside(hook: HookRelay) -> int:
        with opening(hook, migration) as run:
            return work(run)

    return with_hooks(arguments_here([]), inside)


def stage_named(word: str) -> str:
    """*word*, if it is a stage. Raises ConfigError with the nearest one."""
    if word not in STAGES:
        raise ConfigError(
            "read the command line",
            seen=f"there is no stage {word!r}",
            remedy=f"{did_you_mean(word, STAGES)}Stages: {', '.join(STAGES)}",
        )
    return word
