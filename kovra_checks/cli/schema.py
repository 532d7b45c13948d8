"""`kovra-checks schema`: the shape of a migration file, for editors and for people."""

from __future__ import annotations

import argparse
import json

from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.config.reference import reference
from kovra_checks.config.schema import json_schema

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks schema > migration.schema.json      then `#:schema ./migration.schema.json` on the file's first line
  kovra-checks schema --markdown                   every table and key, as in docs/configuration.md
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(subparsers, "schema", what="print the JSON Schema of a migration file", examples=_EXAMPLES)
    parser.add_argument("--markdown", action="store_true", help="the reference for people instead")
    parser.set_defaults(call=_schema)


def _schema(options: argparse.Namespace) -> int:
    print(reference() if options.markdown else json.dumps(json_schema(), indent=2))
    return 0
