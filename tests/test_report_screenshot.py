"""The summary in a real browser. Without Chromium: a failure in CI, nothing to collect elsewhere."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from fix_report import BuildReport

from kovra_checks.report.summary import write_summary

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
LIGHT, DARK = (0xF5, 0xF6, 0xF8), (0x0E, 0x12, 0x18)


def shot(page: Path, folder: Path, scheme: int) -> Path:
    """A picture of *page*, 1280 wide; *scheme* 0 is dark, 1 light."""
    assert BROWSER is not None, "install Chromium: in CI the summary is looked at"
    picture = folder / "shot.png"
    told = (f"--user-data-dir={folder / 'profile'}", "--window-size=1280,2400", f"--screenshot={picture}",
            f"--blink-settings=preferredColorScheme={scheme}", page.as_uri())  # fmt: skip
    subprocess.run([BROWSER, *FLAGS, *told], capture_output=True, timeout=120, check=True)
    return picture


def corner(picture: Path) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Size and top left colour of a PNG (RFC 2083): the first pixel of the first row is unfiltered by any filter."""
    data, place, packed = picture.read_bytes(), 8, b""
    width, height, colours = *struct.unpack(">II", data[16:24]), {2: 3, 6: 4}[data[25]]
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        packed += data[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    red, green, blue = zlib.decompressobj().decompress(packed, 1 + colours)[1:4]
    return (width, height), (red, green, blue)


if BROWSER is not None or os.environ.get("CI"):

    @pytest.mark.parametrize(("scheme", "ground"), [(1, LIGHT), (0, DARK)], ids=["light", "dark"])
    def test_the_summary_in_a_browser(
        report: BuildReport, tmp_path: Path, scheme: int, ground: tuple[int, ...]
    ) -> None:
        """It renders, in the colours of the reader's scheme."""
        picture = shot(write_summary(report("NO-GO")), tmp_path, scheme)
        assert corner(picture) == ((1280, 2400), ground)
        assert picture.stat().st_size > 100_000
