"""The evidence folder: observations as JSON lines, and a manifest that makes any later change visible.

`reports/evidence/` holds one `<stage>.jsonl` per stage, a few JSON files, and `manifest.json` with the SHA-256 of each.
The manifest also holds the head of the ledger's hash chain, so that the folder and the ledger vouch for each other.
With a key it is signed (Ed25519, RFC 8032) in `manifest.sig`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kovra_checks.errors import EvidenceError
from kovra_checks.outcome import Observation, Observations, adapter, as_json, canonical_json
from kovra_checks.report.signing import sign, signer_of, verify
from kovra_checks.stages import STAGES

__all__ = ["MANIFEST", "SIGNATURE", "EvidenceReader", "EvidenceWriter", "Manifest", "write_atomically"]

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
PART = ".part"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` holds.

    Attributes:
        version: Of this format.
        files: SHA-256 (hex) by file name.
        head: Hash of the ledger's newest entry when it was sealed.
        sealed_at: When (UTC).
        tool: Version of kovra-checks that sealed it.
        signer: Fingerprint of the public key that verifies `manifest.sig`; None if unsigned.
    """

    version: int
    files: Mapping[str, str]
    head: str
    sealed_at: datetime
    tool: str
    signer: str | None


def write_atomically(path: Path, data: bytes) -> None:
    """Replace *path* so that a reader sees the old or the new content, never a part, even after a crash."""
    part = path.with_name(f".{path.name}{PART}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _safe(name: str) -> str:
    if not NAME.match(name) or name == Path(MANIFEST).stem:
        raise ValueError(f"evidence name {name!r}: want kebab-case, and not `manifest`")
    return name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(directory: Path) -> list[str]:
    """Everything a manifest must list, as sorted relative names."""
    found = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in (MANIFEST, SIGNATURE))


class EvidenceWriter:
    """Records observations so that they survive a crash, and seals what was recorded."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[str, tuple[tuple[int, int], Observations]] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def record(self, stage: str, observations: Iterable[Observation]) -> None:
        """Append to `<stage>.jsonl`; on disk when this returns. On reading, the newest of equal keys counts."""
        lines = [canonical_json(as_json(observation)) + "\n" for observation in observations]
        path = self.directory / f"{_safe(stage)}.jsonl"
        with path.open("ab+") as file:
            _cut_torn_line(file.fileno())
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def observations(self, stage: str) -> Observations:
        """What is recorded of *stage* so far, sealed or not; empty if nothing is. Raises EvidenceError."""
        path = self.directory / f"{_safe(stage)}.jsonl"
        if not path.exists():
            return Observations(())
        state = (path.stat().st_mtime_ns, path.stat().st_size)
        if self._read.get(stage, (None, None))[0] != state:
            # every check of a stage asks, so the file is parsed once per change and not once per check
            whole = _read(path).rpartition(b"\n")[0]
            self._read[stage] = (state, _observations(path, whole))
        return self._read[stage][1]

    def write_json(self, name: str, data: Any) -> None:
        """Write `<name>.json`, replacing an earlier one."""
        write_atomically(self.directory / f"{_safe(name)}.json", (canonical_json(data) + "\n").encode())

    def seal(self, *, head: str, key: bytes | None) -> Manifest:
        """Write the manifest over all files that are there now. Call it after each stage: a crash then loses nothing.

        Args:
            head: Hash of the ledger's newest entry.
            key: Ed25519 private key, as a 32-byte seed or PEM; None leaves the folder unsigned.

        Raises:
            EvidenceError: The key cannot be used.
        """
        for leftover in self.directory.rglob(f".*{PART}"):
            leftover.unlink()  # of a write that a crash cut short; its old content still stands
        files = {name: _digest(self.directory / name) for name in _files(self.directory)}
        signer = None if key is None else signer_of(key)
        manifest = Manifest(1, files, head, datetime.now(UTC), version("kovra-checks"), signer)
        data = (canonical_json(as_json(manifest)) + "\n").encode()
        signature = self.directory / SIGNATURE
        signature.unlink(missing_ok=True)  # an old signature must not stand beside a new manifest
        write_atomically(self.directory / MANIFEST, data)
        if key is not None:
            write_atomically(signature, sign(key, data))
        return manifest


def _cut_torn_line(descriptor: int) -> None:
    """Drop the tail of a line that a crash left unfinished, or the next line would be garbage too."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0 and os.pread(descriptor, 1, end - 1) != b"\n":
        end -= 1
    if end != size:
        os.ftruncate(descriptor, end)


class EvidenceReader:
    """Reads a sealed folder, and refuses one that is not as it was sealed.

    Attributes:
        directory: The folder.
        manifest: Its verified manifest.
        signed: Whether a signature was there and verified against the key that was given.
    """

    def __init__(self, directory: Path, *, public_key: bytes | None = None) -> None:
        """Verify every file.

        Args:
            directory: The evidence folder.
            public_key: Ed25519 public key, PEM or 32 raw bytes; when given, a valid signature is required.

        Raises:
            EvidenceError: Naming the file that is missing, changed or not listed.
        """
        self.directory = directory
        data = _read(directory / MANIFEST)
        self.signed = public_key is not None
        if public_key is not None:
            verify(public_key, data, _read(directory / SIGNATURE), where=directory / MANIFEST)
        self.manifest = _manifest(directory / MANIFEST, data)
        present = _files(directory)
        for name in sorted({*present, *self.manifest.files}):
            if name not in self.manifest.files:
                raise _refused(directory / name, "a file that the manifest does not list")
            if name not in present:
                raise _refused(directory / name, "the file is missing")
            self._check(name, _digest(directory / name))

    @property
    def head(self) -> str:
        """Hash of the ledger's newest entry when the folder was sealed."""
        return self.manifest.head

    @property
    def stages(self) -> tuple[str, ...]:
        """Those with observations, in order."""
        return tuple(stage for stage in STAGES if f"{stage}.jsonl" in self.manifest.files)

    def observations(self, stage: str) -> Observations:
        """The newest observation of each question of *stage*; empty if none was recorded. Raises EvidenceError."""
        name = f"{_safe(stage)}.jsonl"
        if name not in self.manifest.files:
            return Observations(())
        return _observations(self.directory / name, self._bytes(name))

    def lines(self, name: str) -> tuple[dict[str, Any], ...]:
        """The objects of `<name>.jsonl`, in order; empty if there is no such file. Raises EvidenceError."""
        file = f"{_safe(name)}.jsonl"
        if file not in self.manifest.files:
            return ()
        lines = enumerate(self._bytes(file).splitlines(), start=1)
        return tuple(_parse(self.directory / file, line, number) for number, line in lines)

    def json(self, name: str) -> Any:
        """The content of `<name>.json`. Raises EvidenceError if there is none."""
        return _parse(self.directory / f"{name}.json", self._bytes(f"{_safe(name)}.json"))

    def _bytes(self, name: str) -> bytes:
        """The file as it was sealed; hashed again, since time has passed since the folder was verified."""
        data = _read(self.directory / name)
        self._check(name, hashlib.sha256(data).hexdigest())
        return data

    def _check(self, name: str, digest: str) -> None:
        sealed = self.manifest.files.get(name)
        if digest != sealed:
            raise _refused(self.directory / name, f"SHA-256 ({digest}) == {sealed} does not hold: it was changed")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from None


def _parse(path: Path, data: bytes, line: int | None = None) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise _refused(path, f"{'' if line is None else f'line {line} '}is not JSON ({error})") from None


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        manifest: Manifest = adapter(Manifest).validate_python(_parse(path, data))
    except ValidationError as error:
        raise _refused(path, f"is not a manifest ({error.errors()[0]['msg']})") from None
    if manifest.version != 1:
        raise _refused(path, f"version ({manifest.version}) == 1 does not hold")
    return manifest


def _observations(path: Path, data: bytes) -> Observations:
    return Observations(_observation(path, number, line) for number, line in enumerate(data.splitlines(), start=1))


def _observation(path: Path, number: int, line: bytes) -> Observation:
    try:
        seen: Observation = adapter(Observation).validate_python(_parse(path, line, number))
    except ValidationError as error:
        raise _refused(path, f"line {number} is not an observation ({error.errors()[0]['msg']})") from None
    return seen


def _refused(path: Path, seen: str) -> EvidenceError:
    return EvidenceError(
        f"read evidence {path}",
        seen=seen,
        remedy="use a copy of the folder that `kovra-checks verify` accepts, or run the stage again",
    )
