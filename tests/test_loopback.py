"""The guard that keeps tests and rehearsals on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fix_rehearsal import guarded

# What Python itself would announce before it does so; nothing is really sent.
LOOKS = """
import socket, sys
with socket.socket() as made:
    sys.audit("socket.connect", made, ("{address}", 9))
    sys.audit("socket.sendto", made, ("{address}", 9))
sys.audit("socket.getaddrinfo", "{address}", 9, 0, 0, 0)
"""


@pytest.mark.parametrize(("address", "count"), [("127.3.2.1", 0), ("192.0.2.1", 3)])
def test_outside_is_written_down(address: str, count: int, tmp_path: Path) -> None:
    """Connections, datagrams and look-ups beyond loopback are recorded in whatever process makes them."""
    seen = tmp_path / "seen.txt"
    environment = {**os.environ, **guarded(tmp_path / "guard", "record_to", seen)}
    subprocess.run([sys.executable, "-c", LOOKS.format(address=address)], env=environment, check=True)
    told = seen.read_text(encoding="utf-8").splitlines() if seen.exists() else []
    assert len(told) == count
    assert all(address in line for line in told)


def test_unplugged(tmp_path: Path) -> None:
    """Where everything is refused not even loopback can be reached."""
    environment = {**os.environ, **guarded(tmp_path / "guard", "refuse_everything")}
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection({server.getsockname()!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "no network in this process" in done.stderr


def test_looking_outside_fails_a_test(looked_outside: list[str]) -> None:
    """A look-up of a name counts although nothing was connected; the guard's list is emptied here so that we pass."""
    sys.audit("socket.getaddrinfo", "example.com", 443, 0, 0, 0)
    sys.audit("socket.getaddrinfo", "localhost", 443, 0, 0, 0)
    assert looked_outside == ["socket.getaddrinfo example.com"]
    looked_outside.clear()
