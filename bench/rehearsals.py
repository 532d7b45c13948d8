"""Rehearses the whole move again and again, and prints each verdict: a healthy one must be GO every time.

    python bench/rehearsals.py [--times 20] [-- pytest arguments]

Reports of a rehearsal that is not GO are kept in a temporary folder, which is named.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent


def rehearse(reports: Path, arguments: list[str]) -> tuple[str, str]:
    """The verdict of one rehearsal, and what it says of its users (its last line where there is no verdict)."""
    command = [sys.executable, "-m", "pytest", "suites", "--rehearse", "--reports", str(reports),
               "-p", "no:cacheprovider", *arguments]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    screen = done.stdout + done.stderr
    (reports / "screen.txt").write_text(screen, encoding="utf-8")
    if not (reports / "verdict.json").exists():
        return f"exit code {done.returncode}", (screen.splitlines() or [""])[-1]
    verdict = json.loads((reports / "verdict.json").read_text(encoding="utf-8"))["verdict"]
    users = re.search(r"^traffic: .*$", screen, re.MULTILINE)
    return str(verdict), users[0] if users else ""


def main() -> int:
    """Rehearse; 0 if all were GO."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="how often (20)")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --, e.g. -- -n 4")
    asked = parser.parse_args()
    verdicts: Counter[str] = Counter()
    for number in range(1, asked.times + 1):
        reports = Path(tempfile.mkdtemp(prefix="kovra-rehearsal-"))
        began = time.perf_counter()
        verdict, users = rehearse(reports, asked.arguments)
        verdicts[verdict] += 1
        kept = "" if verdict == "GO" else f"  {reports}"
        print(f"{number:3} {verdict:14} {time.perf_counter() - began:5.1f} s  {users}{kept}", flush=True)
        if verdict == "GO":
            shutil.rmtree(reports)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    return 0 if set(verdicts) == {"GO"} else 1


if __name__ == "__main__":
    sys.exit(main())
