"""A server that misbehaves on loopback: resets, falls silent, talks nonsense, stops half way, drips."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nhalf"
DRIP = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"


class RudeServer:
    """Treats each connection in one way: `reset`, `silent`, `nonsense`, `half`, `drip`."""

    def __init__(self, manner: str) -> None:
        self._manner = manner
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> None:
        """Serve one connection after another."""
        self._thread.start()

    def stop(self) -> None:
        """End and join."""
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # stopped
            with connection:
                try:
                    self._treat(connection)
                except OSError:
                    continue  # the client has gone

    def _treat(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        if self._manner == "silent":
            while connection.recv(65536) and not self._over.is_set():
                pass
            return
        connection.recv(65536)
        if self._manner == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif self._manner == "nonsense":
            connection.sendall(b"220 mail.example.test ESMTP ready\r\n")
        elif self._manner == "half":
            connection.sendall(HALF)
        else:
            connection.sendall(DRIP)
            while not self._over.wait(0.05):
                connection.sendall(b"x")


@pytest.fixture
def rude() -> Iterator[Callable[[str], RudeServer]]:
    """Starts rude servers (`rude(manner)`)."""
    started: list[RudeServer] = []

    def start(manner: str) -> RudeServer:
        server = RudeServer(manner)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()
