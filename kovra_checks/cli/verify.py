"""`kovra-checks verify`: is the evidence as the run sealed it?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from kovra_checks.errors import EvidenceError
from kovra_checks.report.evidence import EvidenceReader

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "verify",
        help="check that the evidence is as it was sealed",
        description="Hash every evidence file and compare with the manifest; with --public-key also verify its signature. "
        "Exits 0 if all is as sealed, else 1 and names the file.",
    )
    parser.add_argument("directory", nargs="?", type=Path, default=Path("reports/evidence"), metavar="DIR",
                        help="default: reports/evidence")  # fmt: skip
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="Ed25519 public key (PEM) that must have signed it"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        key = None if args.public_key is None else args.public_key.read_bytes()
        reader = EvidenceReader(args.directory, public_key=key)
        for stage in reader.stages:
            reader.observations(stage)
    except (EvidenceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    manifest = reader.manifest
    print(f"{args.directory}: {len(manifest.files)} files are as sealed at {manifest.sealed_at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"ledger head {manifest.head or '(none)'}")
    if reader.signed:
        print(f"signature of key {manifest.signer} verified")
    elif manifest.signer is not None:
        print(f"signature of key {manifest.signer} not verified: pass --public-key FILE")
    else:
        print("not signed: whoever can write the folder could have sealed it again")
    return 0
