"""Evidence: what is recorded is read back, and what was changed is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kovra_checks.errors import CouldNotLook, EvidenceError
from kovra_checks.outcome import Observation, Question
from kovra_checks.report.evidence import EvidenceReader, EvidenceWriter

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Colour:
    """An answer."""

    name: str


@dataclass(frozen=True, slots=True)
class Ask(Question["Colour"]):
    """A question."""

    kind: ClassVar[str] = "test-colour"
    answer_type: ClassVar[type] = Colour
    of: str


def seen(of: str, colour: str | None, *, after: float = 0) -> Observation:
    """The observation that *of* is *colour*, or could not be seen."""
    question = Ask(of)
    error = {"tried": f"look at {of}", "seen": "fog", "remedy": "wait"} if colour is None else None
    answer = None if colour is None else {"name": colour}
    at = AT + timedelta(seconds=after)
    return Observation(question.key(), question.kind, question.fields(), at, 0.1, "here", answer, error)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder with two stages and a JSON file."""
    writer = EvidenceWriter(tmp_path / "evidence")
    writer.record("precutover", [seen("sky", "grey"), seen("sea", None)])
    writer.write_json("plan", {"actions": []})
    writer.seal(head="aa", key=None)
    writer.record("cutover", [seen("sky", "blue")])
    writer.seal(head="bb", key=None)
    return tmp_path / "evidence"


def test_what_was_recorded_is_read_back(folder: Path) -> None:
    """Answers come back typed, errors as could-not-look, and the head is the last sealed one."""
    reader = EvidenceReader(folder)
    assert reader.observations("cutover")[Ask("sky")] == Colour("blue")
    assert reader.observations("precutover").at(Ask("sky")) == AT
    with pytest.raises(CouldNotLook, match="look at sea: fog"):
        reader.observations("precutover")[Ask("sea")]
    assert reader.json("plan") == {"actions": []}
    assert (reader.head, reader.stages) == ("bb", ("precutover", "cutover"))
    assert len(reader.observations("readiness")) == 0


def test_newest_of_equal_keys_counts(tmp_path: Path) -> None:
    """A question that was put again replaces its earlier answer, and nothing else."""
    writer = EvidenceWriter(tmp_path)
    writer.record("cutover", [seen("sky", "grey"), seen("sea", "green")])
    writer.record("cutover", [seen("sky", "blue", after=5)])
    writer.seal(head="", key=None)
    observations = EvidenceReader(tmp_path).observations("cutover")
    assert (len(observations), observations[Ask("sky")], observations[Ask("sea")]) == (
        2,
        Colour("blue"),
        Colour("green"),
    )


def test_the_writer_reads_back_what_is_not_sealed_yet(tmp_path: Path) -> None:
    """Checks of a running stage see each record at once, and no half-written line."""
    writer = EvidenceWriter(tmp_path)
    assert len(writer.observations("cutover")) == 0
    writer.record("cutover", [seen("sky", "grey")])
    assert writer.observations("cutover")[Ask("sky")] == Colour("grey")
    writer.record("cutover", [seen("sky", "blue")])
    with (tmp_path / "cutover.jsonl").open("a") as file:
        file.write('{"key":"half')
    assert writer.observations("cutover")[Ask("sky")] == Colour("blue")


def test_lines_of_other_logs_are_read_in_order(tmp_path: Path) -> None:
    """A log of plain objects, such as the traffic, is evidence too."""
    (tmp_path / "traffic.jsonl").write_text('{"t":2}\n{"t":1}\n')
    EvidenceWriter(tmp_path).seal(head="", key=None)
    reader = EvidenceReader(tmp_path)
    assert reader.lines("traffic") == ({"t": 2}, {"t": 1})
    assert (reader.lines("watch"), reader.stages) == ((), ())


def test_a_line_torn_by_a_crash_is_dropped_by_the_next_record(tmp_path: Path) -> None:
    """A half-written line does not spoil what follows it."""
    writer = EvidenceWriter(tmp_path)
    writer.record("cutover", [seen("sky", "grey")])
    path = tmp_path / "cutover.jsonl"
    path.write_bytes(path.read_bytes() + b'{"key":"half')
    writer.record("cutover", [seen("sea", "green")])
    writer.seal(head="", key=None)
    assert len(EvidenceReader(tmp_path).observations("cutover")) == 2


def test_leftover_of_an_interrupted_write_is_not_evidence(folder: Path) -> None:
    """The part file of a write that a crash cut short is cleared when sealing."""
    (folder / ".plan.json.part").write_text("{")
    EvidenceWriter(folder).seal(head="cc", key=None)
    assert EvidenceReader(folder).head == "cc"


def flip(path: Path) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


CHANGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("a changed byte", lambda f: flip(f / "cutover.jsonl"), r"cutover\.jsonl: SHA-256 .* it was changed"),
    ("a line more", lambda f: EvidenceWriter(f).record("cutover", [seen("x", "y")]), r"cutover\.jsonl: SHA-256"),
    ("a file less", lambda f: (f / "plan.json").unlink(), r"plan\.json: the file is missing"),
    ("a file more", lambda f: (f / "extra.txt").write_text("x"), r"extra\.txt: a file that the manifest does not list"),
    ("no manifest", lambda f: (f / "manifest.json").unlink(), r"manifest\.json: cannot be read"),
    ("a broken manifest", lambda f: (f / "manifest.json").write_text("{"), r"manifest\.json: is not JSON"),
    ("another format", lambda f: (f / "manifest.json").write_text("[]"), r"manifest\.json: is not a manifest"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_changed_folder_is_refused(folder: Path, change: Callable[[Path], object], message: str) -> None:
    """Whatever was changed after sealing is named, and nothing is read."""
    change(folder)
    with pytest.raises(EvidenceError, match=message):
        EvidenceReader(folder)


def test_a_change_after_opening_is_refused(folder: Path) -> None:
    """What is read is what was verified, not what lies there a moment later."""
    reader = EvidenceReader(folder)
    flip(folder / "cutover.jsonl")
    with pytest.raises(EvidenceError, match=r"cutover\.jsonl"):
        reader.observations("cutover")


def test_a_manifest_of_another_version_is_refused(folder: Path) -> None:
    """A format this release does not know is not guessed at."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))
    with pytest.raises(EvidenceError, match=r"version \(2\) == 1"):
        EvidenceReader(folder)


def test_a_line_that_is_no_observation_is_named(tmp_path: Path) -> None:
    """Sealed garbage is refused with its line number."""
    (tmp_path / "cutover.jsonl").write_text('{"key":"x"}\n')
    EvidenceWriter(tmp_path).seal(head="", key=None)
    with pytest.raises(EvidenceError, match=r"cutover\.jsonl: line 1 is not an observation"):
        EvidenceReader(tmp_path).observations("cutover")


@pytest.mark.parametrize("name", ["../x", "", "manifest", "A", "a/b"])
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    """A name that is not kebab-case is refused."""
    with pytest.raises(ValueError, match="kebab-case"):
        EvidenceWriter(tmp_path).write_json(name, {})


def keys(private: Ed25519PrivateKey, *, raw: bool) -> tuple[bytes, bytes]:
    """The private and the public key in one of the two forms."""
    public = private.public_key()
    if raw:
        return private.private_bytes_raw(), public.public_bytes_raw()
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


@pytest.mark.parametrize("raw", [True, False], ids=["seed", "pem"])
def test_a_signature_verifies_with_its_key_only(folder: Path, *, raw: bool) -> None:
    """The signer's public key opens the folder; another key, or no signature, does not."""
    private, public = keys(Ed25519PrivateKey.generate(), raw=raw)
    with pytest.raises(EvidenceError, match=r"manifest\.sig: cannot be read"):
        EvidenceReader(folder, public_key=public)
    manifest = EvidenceWriter(folder).seal(head="cc", key=private)
    assert manifest.signer is not None
    assert EvidenceReader(folder, public_key=public).signed
    assert not EvidenceReader(folder).signed
    with pytest.raises(EvidenceError, match="was not made by the key"):
        EvidenceReader(folder, public_key=os.urandom(32))


def test_a_resealed_forgery_does_not_verify(folder: Path) -> None:
    """Somebody who changes evidence and writes a fitting manifest still lacks the key."""
    private, public = keys(Ed25519PrivateKey.generate(), raw=True)
    EvidenceWriter(folder).seal(head="cc", key=private)
    signature = (folder / "manifest.sig").read_bytes()
    flip(folder / "plan.json")
    EvidenceWriter(folder).seal(head="cc", key=None)
    (folder / "manifest.sig").write_bytes(signature)
    assert EvidenceReader(folder).head == "cc"
    with pytest.raises(EvidenceError, match="changed after signing"):
        EvidenceReader(folder, public_key=public)


def test_keys_of_another_kind_are_refused(folder: Path) -> None:
    """What cannot sign or verify says which key is wanted."""
    with pytest.raises(EvidenceError, match="neither a 32-byte seed"):
        EvidenceWriter(folder).seal(head="", key=b"not a key")
    EvidenceWriter(folder).seal(head="", key=os.urandom(32))
    with pytest.raises(EvidenceError, match="neither 32 raw bytes"):
        EvidenceReader(folder, public_key=b"not a key")
