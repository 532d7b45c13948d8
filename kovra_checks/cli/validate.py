"""`kovra-checks validate`: is the configuration right, and what would be checked?"""

from __future__ import annotations

import argparse
from pathlib import Path

from kovra_checks.checklist import expected
from kovra_checks.cli.common import Subparsers, add_command, add_migration, migration_of
from kovra_checks.migration import Migration
from kovra_checks.stages import STAGES

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks validate
  kovra-checks validate migration.example.toml
  kovra-checks validate --migration migration.toml --environment staging
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "validate", what="read the configuration, contact nothing, tell every error", examples=_EXAMPLES
    )
    add_migration(parser)
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the same as --migration FILE")
    parser.set_defaults(call=_validate)


def _validate(options: argparse.Namespace) -> int:
    if options.file is not None:
        options.migration = options.file
    migration = migration_of(options)
    print(f"{options.migration}: valid; migration {migration.name}, digest {migration.digest[:16]}")
    print(f"  {_inventory(migration)}")
    counts = {stage: len(expected(migration, stage)) for stage in STAGES}
    width = max(map(len, STAGES))
    for stage, count in counts.items():
        print(f"  {stage:<{width}}  {_count(count, 'check')}")
    print(f"  {'together':<{width}}  {_count(sum(counts.values()), 'check')}")
    return 0


def _inventory(migration: Migration) -> str:
    parts = [
        _count(len(migration.apps), "app"), _count(len(migration.databases), "database"),
        _count(len(migration.domains), "domain"), _count(len(migration.integrations), "integration"),
        _count(len(migration.jobs), "job"), _count(len(migration.waivers), "waiver"),
    ]  # fmt: skip
    return f"{migration.source.platform} -> Kovra Cloud: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
