"""Servers as fixtures, one module each."""

from __future__ import annotations

pytest_plugins: list[str] = [
    "fix_dns",
    "fix_engine",
    "fix_faults",
    "fix_http",
    "fix_lab",
    "fix_loopback",
    "fix_platforms",
    "fix_postgres",
    "fix_rehearsal",
    "fix_report",
    "fix_tls",
]
