"""What several commands share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kovra_checks.config import load
from kovra_checks.migration import Migration

__all__ = ["DEFAULT_FILE", "USAGE_ERROR", "Parser", "Subparsers", "add_command", "add_migration", "migration_of"]

USAGE_ERROR = 4  # pytest's own number for it, so that one table of exit codes holds for both commands
DEFAULT_FILE = Path("migration.toml")


class Parser(argparse.ArgumentParser):
    """argparse, with our exit code for usage errors."""

    def error(self, message: str) -> NoReturn:
        """Tell the error and where examples are."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n`{self.prog} --help` shows examples\n")


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[Parser]  # noqa: SLF001 - argparse has no public name for it
else:
    Subparsers = object


def add_command(subparsers: Subparsers, name: str, *, what: str, examples: str) -> Parser:
    """A parser for the command *name*: *what* it does in one sentence, and *examples* below its options."""
    return subparsers.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_migration(parser: argparse.ArgumentParser) -> None:
    """`--migration` and `--environment`, as pytest has them."""
    parser.add_argument(
        "--migration", metavar="FILE", type=Path, default=DEFAULT_FILE, help="the configuration (migration.toml)"
    )
    parser.add_argument("--environment", metavar="NAME", help="merge migration.NAME.toml over it, table by table")


def migration_of(options: argparse.Namespace) -> Migration:
    """The migration that *options* name. Raises ConfigErrors."""
    return load(options.migration, environment=options.environment)
