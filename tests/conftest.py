"""Servers as fixtures, one module each."""

from __future__ import annotations

pytest_plugins: list[str] = ["fix_dns", "fix_engine", "fix_lab", "fix_platforms", "fix_report"]
