"""`kovra-checks verify`: is the evidence as the run sealed it?"""

from __future__ import annotations

import argparse
from pathlib import Path

from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.errors import EvidenceError
from kovra_checks.report.evidence import EvidenceReader

__all__ = ["add"]


EXAMPLES = """\
  kovra-checks verify                                      reports/evidence, as the manifest has it
  kovra-checks verify DIR --public-key evidence.pub        also who sealed it
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(subparsers, "verify", what="check that the evidence is as it was sealed", examples=EXAMPLES)
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("reports/evidence"),
        metavar="DIR",
        help="default: reports/evidence",
    )
    parser.add_argument("--public-key", type=Path, metavar="FILE", help="Ed25519 public key that must have signed it")
    parser.set_defaults(call=_call)


def _call(options: argparse.Namespace) -> int:
    reader = EvidenceReader(options.directory, public_key=_key(options.public_key))
    for stage in reader.stages:
        reader.observations(stage)
    manifest = reader.manifest
    print(
        f"{options.directory}: {len(manifest.files)} files are as sealed at {manifest.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    print(f"ledger head {manifest.head or '(none)'}")
    if reader.signed:
        print(f"signature of key {manifest.signer} verified")
    elif manifest.signer is not None:
        print(f"signature of key {manifest.signer} not verified: pass --public-key FILE")
    else:
        print("not signed: whoever can write the folder could have sealed it again")
    return 0


def _key(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            f"read the public key {path}", seen=error.strerror or "unreadable", remedy="name the signer's key file"
        ) from None
