"""`kovra-checks`: one thin module per command; this one only puts them together and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Protocol

from kovra_checks.cli import approve, checks, faults, plan, report, rollback, run, schema, status, validate, verify
from kovra_checks.cli.common import USAGE_ERROR, Parser, Subparsers
from kovra_checks.errors import ConfigError, KovraChecksError

__all__ = ["COMMANDS", "main"]

COMMAND_FAILED = 1
INTERRUPTED = 2

_EPILOG = """\
a move, from the first look to the end:
  kovra-checks validate                        is migration.toml right, and what would be checked?
  kovra-checks run readiness                   look; exit 0 only on GO
  kovra-checks status                          where does it stand, and what comes next?
  kovra-checks run precutover -n 8             the go/no-go before the cutover
  kovra-checks plan cutover                    what would it change? prints a checksum
  kovra-checks run cutover --apply --plan SHA  act: only while every earlier gate stands open
  kovra-checks rollback                        back, if it must be

exit codes: 0 GO or done, 10 NO-GO, 11 stopped in mid-cutover, 12 state unknown, 13 rolled back, 14 INCONCLUSIVE,
4 wrong usage or configuration, 1-6 otherwise as pytest has them. Only 0 is go.
"""


class Command(Protocol):
    """A command module: adds its parser, with `call` (arguments -> exit code) among its defaults."""

    def add(self, subparsers: Subparsers, /) -> None:
        """Add the command's parser."""


COMMANDS: tuple[Command, ...] = (
    validate, schema, status, plan, approve, run, rollback, checks, faults, report, verify,
)  # fmt: skip


def parser() -> Parser:
    """The command line as a whole."""
    whole = Parser(
        prog="kovra-checks",
        description="Go/no-go checks and gated cutover for moving apps and databases to Kovra Cloud.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"kovra-checks {version('kovra-checks')}")
    subparsers = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in *arguments* (sys.argv unless given); the exit code. Our own errors never show a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["run"] and not {"-h", "--help"} & set(given):
            run.replace_process(given[1:])  # its arguments are pytest's: argparse would put them in another order
        options = parser().parse_args(given)
        code: int = options.call(options)
        sys.stdout.flush()
    except ConfigError as error:
        print(f"kovra-checks: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KovraChecksError as error:
        print(f"kovra-checks: {error}", file=sys.stderr)
        return COMMAND_FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COMMAND_FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
