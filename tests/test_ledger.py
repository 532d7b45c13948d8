"""The ledger: what is in it stays as it was written, and one runner at a time writes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kovra_checks.errors import LeaseHeld, LedgerError
from kovra_checks.ledger import Entry, History, Ledger
from kovra_checks.stages import STAGES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "kept" / "ledger.sqlite3"


def filled(path: Path, count: int = 3) -> Ledger:
    """A ledger with *count* entries."""
    ledger = Ledger(path)
    for number in range(count):
        ledger.append("note", {"number": number, "text": "ä\n"}, run="r1")
    return ledger


def tamper(path: Path, *statements: str) -> None:
    """What somebody with an SQL shell might do, triggers taken away first."""
    db = sqlite3.connect(path)
    for statement in ("DROP TRIGGER entries_are_final", "DROP TRIGGER entries_stay", *statements):
        db.execute(statement)
    db.commit()
    db.close()


def dead_pid() -> int:
    """A process id that nobody has any more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_entries_are_chained(path: Path) -> None:
    """Each entry carries the hash of the one before, and the walk counts them; it holds for a second reader as well."""
    ledger = filled(path)
    entries = ledger.entries()
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == ["0" * 64, entries[0].hash, entries[1].hash]
    assert ledger.head == entries[2].hash
    assert Ledger(path).verify() == Ledger(path, read_only=True).verify() == 3


@pytest.mark.parametrize("statement", ["UPDATE entries SET body = '{}' WHERE seq = 2", "DELETE FROM entries"])
def test_entries_cannot_be_changed(path: Path, statement: str) -> None:
    """The file itself refuses to change or to forget what is written."""
    filled(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sqlite3.connect(path).execute(statement)
    assert Ledger(path).verify() == 3


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE entries SET body = '{\"number\":9}' WHERE seq = 2", "entry 2 (note, "),
        ("UPDATE entries SET at = '2020-01-01T00:00:00.000+00:00' WHERE seq = 1", "entry 1 (note, "),
        ("DELETE FROM entries WHERE seq = 2", "entry 3 (note, "),
        ("DELETE FROM entries WHERE seq = 1", "entry 2 (note, "),
        ("UPDATE entries SET kind = 'decision' WHERE seq = 3", "entry 3 (decision, "),
        ("UPDATE entries SET body = 'x' WHERE seq = 2", "entry 2 is not JSON"),
    ],
)
def test_tampering_is_seen(path: Path, statement: str, told: str) -> None:
    """Whoever takes the triggers away and changes something is told on, with the entry's number."""
    filled(path)
    tamper(path, statement)
    with pytest.raises(LedgerError, match="changed or cut") as caught:
        Ledger(path).verify()
    assert told in str(caught.value)


def test_a_shortened_ledger_has_another_head(path: Path) -> None:
    """Cutting off the end leaves a whole chain, but not the head that a manifest holds."""
    head = filled(path).head
    tamper(path, "DELETE FROM entries WHERE seq = 3")
    assert Ledger(path).verify() == 2
    assert Ledger(path).head != head


def test_one_runner_at_a_time(path: Path) -> None:
    """A living holder is named to whoever comes second, and the place is free once it was given back."""
    ledger, other = Ledger(path), Ledger(path)
    lease = ledger.acquire("first")
    with pytest.raises(LeaseHeld, match=f"run first \\(pid {os.getpid()} on "):
        other.acquire("second")
    holder = other.holder()
    assert holder is not None
    assert holder["run"] == "first"
    ledger.release(lease)
    assert other.holder() is None
    assert other.acquire("second").token == lease.token + 1


def test_a_dead_runner_is_taken_over_at_once(path: Path) -> None:
    """The lease of a process that is gone from this host holds nobody up."""
    ledger = Ledger(path)
    first = ledger.acquire("first")
    db = sqlite3.connect(path)
    holder = json.loads(db.execute("SELECT holder FROM lease").fetchone()[0]) | {"pid": dead_pid()}
    db.execute("UPDATE lease SET holder = ?", (json.dumps(holder),))
    db.commit()
    assert ledger.holder() is None
    assert ledger.acquire("second").token == first.token + 1


@pytest.mark.parametrize(("expires_in", "free"), [(-1.0, True), (20.0, False)])
def test_a_runner_elsewhere_is_taken_over_when_it_is_silent(path: Path, expires_in: float, *, free: bool) -> None:
    """Of another host nobody knows the processes: only the end of its lease frees the place."""
    ledger = Ledger(path)
    ledger.acquire("first")
    holder = {"run": "first", "host": "elsewhere", "pid": dead_pid(), "since": "then"}
    db = sqlite3.connect(path)
    db.execute("UPDATE lease SET holder = ?, expires = ?", (json.dumps(holder), time.time() + expires_in))
    db.commit()
    if free:
        assert ledger.acquire("second").token == 2
    else:
        with pytest.raises(LeaseHeld, match="on elsewhere"):
            ledger.acquire("second")


def test_who_lost_the_lease_cannot_write(path: Path) -> None:
    """Fencing: a runner that slept through its lease begins nothing more, and its heartbeat tells it."""
    slept, awake = Ledger(path), Ledger(path)
    old = slept.acquire("slept")
    sqlite3.connect(path, isolation_level=None).execute("UPDATE lease SET expires = 0")
    new = awake.acquire("awake")
    with pytest.raises(LeaseHeld, match="run awake has taken it over"):
        slept.append("intent", {"action": "a[b]"}, run="slept", lease=old)
    assert not slept.renew(old)
    slept.release(old)
    assert awake.renew(new)
    assert awake.append("intent", {"action": "a[b]"}, run="awake", lease=new).seq == 1


def _write_many(path: str, run: str) -> None:
    ledger = Ledger(Path(path))
    for number in range(40):
        ledger.append("note", {"number": number}, run=run)


def test_two_writers_make_one_chain(path: Path) -> None:
    """Two processes that append at the same time lose nothing and tear nothing."""
    Ledger(path).close()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(path), run)) for run in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    ledger = Ledger(path)
    assert ledger.verify() == 80
    for run in ("a", "b"):
        assert [entry.body["number"] for entry in ledger.entries() if entry.run == run] == list(range(40))


WRITER = """
import sys
from pathlib import Path
from kovra_checks.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
while True:
    print(ledger.append("note", {"text": "x" * 20_000}, run="r").seq, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_chain(path: Path) -> None:
    """After kill -9 in the midst of appending: everything that was confirmed is there, and the next writer goes on."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(25):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = [25, *(int(line) for line in process.stdout.read().split("\n")[:-1])]
    process.wait()
    process.stdout.close()
    ledger = Ledger(path)
    count = ledger.verify()
    assert count in (told[-1], told[-1] + 1)  # the last may be on disk before it could be told
    assert ledger.append("note", {}, run="next").seq == count + 1


def test_a_full_disk_is_an_error_with_a_remedy(path: Path) -> None:
    """What cannot be written raises, and what was written before stays whole."""
    ledger = filled(path)
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerError, match=r"database or disk is full.*free space"):
        ledger.append("note", {"text": "x" * 100_000}, run="r1")
    ledger._db.execute("PRAGMA max_page_count = 100000")
    assert ledger.append("note", {}, run="r1").seq == 4
    assert ledger.verify() == 4


def _garbage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database " * 100)


def _folder(path: Path) -> None:
    path.mkdir(parents=True)


def _parent_is_a_file(path: Path) -> None:
    path.parent.touch()


@pytest.mark.parametrize("damage", [_garbage, _folder, _parent_is_a_file])
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_ledger(path: Path, damage: Callable[[Path], None], *, read_only: bool) -> None:
    """A file of another kind, a folder, a wrong place: an error of ours that names the file."""
    damage(path)
    with pytest.raises(LedgerError, match=r"open the ledger .*ledger\.sqlite3"):
        Ledger(path, read_only=read_only)


def test_a_reader_makes_and_writes_nothing(path: Path) -> None:
    """Read only: no ledger is made where there is none, and an entry is refused."""
    with pytest.raises(LedgerError, match="unable to open"):
        Ledger(path, read_only=True)
    assert not path.parent.exists()
    filled(path)
    with pytest.raises(LedgerError, match="readonly"):
        Ledger(path, read_only=True).append("note", {}, run="r1")


def entry(seq: int, kind: str, at: datetime = NOW, **body: object) -> Entry:
    """An entry as read."""
    return Entry(seq, at.isoformat(), "r1", kind, body, "", "")


def decided(seq: int, stage: str, state: str = "GO", at: datetime = NOW, digest: str = "d") -> Entry:
    """A decision."""
    return entry(seq, "decision", at, stage=stage, state=state, config_digest=digest, rehearsal=False)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "cutover: never decided"),
        ([decided(1, "cutover")], None),
        ([decided(1, "cutover"), decided(2, "cutover", "NO-GO")], "cutover: NO-GO at "),
        ([decided(1, "cutover", digest="e")], "cutover: decided for another configuration (digest e)"),
        ([decided(1, "cutover", at=NOW - 2 * DAY)], "cutover: its evidence is 2d old, more than 1d"),
        ([decided(1, "cutover"), entry(2, "undo", action="a[b]", stage="cutover")], "cutover: rolled back at "),
        ([entry(1, "undo", action="a[b]", stage="cutover"), decided(2, "cutover")], None),
    ],
)
def test_when_a_gate_stands_open(entries: list[Entry], reason: str | None) -> None:
    """The newest GO for this configuration, fresh, and not rolled back since."""
    found = History(entries).closed_reason("cutover", digest="d", rehearsal=False, max_age=DAY, now=NOW)
    assert (found is None) if reason is None else (found is not None and found.startswith(reason))


def test_a_soak_does_not_close_the_gates_before_it() -> None:
    """Two days after the cutover its gates are old; what is retired then needs a fresh look at the new side only."""
    old = [decided(number, stage, at=NOW - 3 * DAY) for number, stage in enumerate(STAGES[:6], start=1)]

    def closed(stage: str, *entries: Entry) -> list[str]:
        history = History([*old, *entries])
        return history.closed_before(stage, digest="d", rehearsal=False, max_age=DAY, now=NOW)

    assert len(closed("cutover")) == 5
    assert closed("decommission", decided(9, "postcutover")) == []
    assert closed("decommission", decided(9, "postcutover", at=NOW - 2 * DAY)) == [
        "postcutover: its evidence is 2d old, more than 1d"
    ]
    assert closed("decommission", decided(9, "postcutover"), decided(10, "cutover", "NO-GO")) != []


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "cutover: never approved"),
        ([entry(1, "approval", stage="precutover", config_digest="d")], "cutover: never approved"),
        ([entry(1, "approval", stage="cutover", config_digest="d")], None),
        ([entry(1, "approval", stage="cutover", config_digest="e")],
         "cutover: approved for another configuration (digest e)"),
        ([entry(1, "approval", NOW - 2 * DAY, stage="cutover", config_digest="d")],
         "cutover: its approval is 2d old, more than 1d"),
    ],
)  # fmt: skip
def test_when_an_approval_has_force(entries: list[Entry], reason: str | None) -> None:
    """For this stage and this configuration, and as fresh as a gate."""
    assert History(entries).unapproved_reason("cutover", digest="d", max_age=DAY, now=NOW) == reason
