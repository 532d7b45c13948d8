"""Watches, from inside a Python process, whether it looks at anything outside this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["guard", "record_to", "refuse_everything"]

NAMES = ("localhost", "", None)


def guard(tell: Callable[[str], None]) -> None:
    """Call *tell* for every connection, datagram and look-up beyond loopback and Unix sockets, from now on.

    An audit hook (PEP 578) cannot be removed again and sees all threads. C libraries' own sockets are not seen.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            family, address = arguments[0].family, arguments[1]
            if family in (socket.AF_INET, socket.AF_INET6) and not _is_near(address[0]):
                tell(f"{event} {address}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_near(arguments[0]):
            tell(f"{event} {arguments[0]}")

    sys.addaudithook(hook)


def _is_near(host: Any) -> bool:
    host = host.decode() if isinstance(host, bytes) else host
    if host in NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def record_to(path: str) -> None:
    """Append what is seen to the file *path*: for processes that are started elsewhere."""

    def tell(what: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{os.getpid()} {' '.join(sys.argv[:3])}: {what}\n".encode())
        os.close(descriptor)

    guard(tell)


def refuse_everything() -> None:
    """Make every use of the network an error, loopback included: as if the cable were out."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        named = event in ("socket.getaddrinfo", "socket.gethostbyname")
        used = event in ("socket.connect", "socket.sendto", "socket.bind") and arguments[0].family != socket.AF_UNIX
        if named or used:
            raise OSError(f"no network in this process: {event} {arguments[1:]}")

    sys.addaudithook(hook)
