"""`python -m kovra_checks.lab serve DIR` and, started by it, `python -m kovra_checks.lab traffic DIR`."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.server import serve
from kovra_checks.lab.traffic_process import run_traffic


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kovra_checks.lab", description="The rehearsals' world on loopback."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="start the lab in DIR, or start it again from what was saved there")
    serving.add_argument("directory", type=Path)
    serving.add_argument("--parent", type=int, help="stop when this process has gone")
    serving.add_argument("--prefix", help="loopback block, e.g. 127.23.7; a free one unless given")
    serving.add_argument("--no-traffic", action="store_true", help="nobody uses the shop")
    traffic = commands.add_parser("traffic", help="use the shop of the lab in DIR until standard input ends")
    traffic.add_argument("directory", type=Path)
    traffic.add_argument("--prefix", required=True)
    return parser


def main() -> None:
    """Run the command."""
    asked = _parser().parse_args()
    if asked.command == "serve":
        serve(asked.directory, prefix=asked.prefix, parent=asked.parent, traffic=not asked.no_traffic)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends us
        run_traffic(asked.directory, Addresses(asked.prefix))


if __name__ == "__main__":
    main()
