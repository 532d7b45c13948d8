"""Durations and sizes as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

__all__ = ["format_duration", "parse_duration", "parse_size"]

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip


def parse_duration(value: Any) -> timedelta:
    """`"90s"`, `"5m"`, `"1h30m"`, `"48h"`, `"2d"` -> timedelta. A bare number is refused: its unit would be a guess."""
    if isinstance(value, timedelta):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value) if isinstance(value, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError('a duration needs a number and a unit: "90s", "5m", "1h30m", "48h", "2d"')
    return timedelta(seconds=sum(float(number) * SECONDS[unit] for number, unit in parts))


def parse_size(value: Any) -> int:
    """`"512MiB"`, `"10GB"` -> bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s?([kKMGT]?i?B)", value) if isinstance(value, str) else None
    if match is None or match[2] not in BYTES:
        raise ValueError('a size needs a number and a unit: "512MiB", "10GB"')
    return int(float(match[1]) * BYTES[match[2]])


def format_duration(duration: timedelta | float) -> str:
    """Two units at most: `1d 2h`, `5m 3s`, `3.2s`, `180ms`."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit} {rest}{smaller}" if rest else f"{whole // size}{unit}"
    raise AssertionError(whole)
