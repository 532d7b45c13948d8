"""Imports point one way, and the project names no machine and no registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "kovra_checks"

NETWORK = frozenset({
    "socket", "ssl", "httpx", "psycopg", "psycopg_pool", "dns", "subprocess", "requests", "http.client",
    "urllib.request", "socketserver", "http.server", "asyncio",
})  # fmt: skip
PYTEST = frozenset({"pytest", "_pytest", "xdist", "pluggy"})
PURE = ("rules", "gate", "migration", "checklist", "observations", "outcome", "subjects", "stages", "units", "config")
TOP = (f"{PACKAGE}.plugin", f"{PACKAGE}.cli", f"{PACKAGE}.suites", "suites")
LAB_USERS = (f"{PACKAGE}.lab", f"{PACKAGE}.run.rehearsal", f"{PACKAGE}.cli.faults")
# What a check may be written with: the public package, questions and rules.
SUITES_MAY = ("kovra_checks", "kovra_checks.observations", "kovra_checks.rules")


def module_name(path: Path) -> str:
    """Dotted name of a file below the checkout."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(folder: str) -> dict[str, Path]:
    """Every module below *folder*, by name."""
    return {module_name(path): path for path in sorted((ROOT / folder).rglob("*.py"))}


def imports(path: Path) -> Iterator[str]:
    """Dotted names that *path* imports when it runs: `from a import b` is both `a` and `a.b`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))


def under(name: str, tops: frozenset[str] | tuple[str, ...]) -> bool:
    """Whether *name* is one of *tops* or below one."""
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def offences(names: tuple[str, ...], forbidden: frozenset[str] | tuple[str, ...]) -> list[str]:
    """`module imports name` for every module under *names* that imports something *forbidden*."""
    return [
        f"{module} imports {name}"
        for module, path in modules(PACKAGE).items()
        if under(module, names)
        for name in imports(path)
        if under(name, forbidden)
    ]


@pytest.mark.parametrize("part", PURE)
def test_what_judges_touches_no_network_and_no_pytest(part: str) -> None:
    """Rules, gate, model and checklist are pure: a replay years later needs nothing but evidence."""
    assert offences((f"{PACKAGE}.{part}",), NETWORK | PYTEST) == []


def test_probes_know_no_pytest() -> None:
    """A probe can be used from anywhere."""
    parts = ("probes", "database", "platforms", "dns_providers", "actions", "ledger")
    assert offences(tuple(f"{PACKAGE}.{part}" for part in parts), PYTEST) == []


def test_rules_do_not_ask() -> None:
    """A rule sees observations; it has no way to a probe, a client or an action."""
    asking = ("probes", "platforms", "database", "dns_providers", "actions", "access", "ledger", "run", "lab")
    assert offences((f"{PACKAGE}.rules",), tuple(f"{PACKAGE}.{part}" for part in asking)) == []


def test_nothing_imports_the_entries() -> None:
    """The plugin, the command line and the suites are ends, not means."""
    others = tuple(name for name in modules(PACKAGE) if name not in (PACKAGE, *TOP) and not under(name, TOP))
    assert offences(others, TOP) == []


def test_only_the_rehearsal_knows_the_lab() -> None:
    """No code path of a real migration reaches the lab."""
    others = tuple(name for name in modules(PACKAGE) if name != PACKAGE and not under(name, LAB_USERS))
    parents = tuple(name for name in others if not any(user.startswith(f"{name}.") for user in LAB_USERS))
    assert offences(parents, (f"{PACKAGE}.lab",)) == []


def test_only_one_module_imports_xdist_and_one_allure() -> None:
    """What other projects may change is met in one place each."""
    users = {
        library: {name for name, path in modules(PACKAGE).items() if any(under(i, (library,)) for i in imports(path))}
        for library in ("xdist", "allure", "allure_commons")
    }
    assert users["xdist"] <= {f"{PACKAGE}.run.distributed"}
    assert all(under(user, (f"{PACKAGE}.report",)) for user in users["allure"] | users["allure_commons"])


def test_suites_read_like_the_guide() -> None:
    """A check is written with the public package, questions and rules, and with no library of the network."""
    wrong = []
    for module, path in modules("suites").items():
        for name in imports(path):
            ours = name == PACKAGE or name.startswith(f"{PACKAGE}.")
            public = name.count(".") == 1 and name.startswith(f"{PACKAGE}.") and name[len(PACKAGE) + 1].isupper()
            allowed = name in (PACKAGE, f"{PACKAGE}.check") or public or under(name, SUITES_MAY[1:])
            if (ours and not allowed) or under(name, NETWORK | PYTEST):
                wrong.append(f"{module} imports {name}")
    assert wrong == []


TEXT = {".py", ".md", ".toml", ".txt", ".ini", ".cfg", ".yml", ".yaml", ".json", ".html", ".j2", ".sh", ".css", ""}
# Put together here, so that this file does not hold them itself.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("golang", "org"),
                  ("rubygems", "org"), ("crates", "io"), ("docker", "io"), ("ghcr", "io"), ("quay", "io"))
)  # fmt: skip
MACHINE = re.compile(r"(?<![A-Za-z0-9_.-])/(?:home|root|Users|work)/[A-Za-z]")
INDEX = re.compile(r"(?:extra-)?index[-]url|registry\s*=\s*.?http")


def project_files() -> Iterator[Path]:
    """Every text file of the project, not what was generated or installed."""
    for place in (PACKAGE, "suites", "tests", "docs", "bench", "requirements", ".ci", ".github"):
        yield from (path for path in sorted((ROOT / place).rglob("*")) if "__pycache__" not in path.parts)
    yield from (path for path in sorted(ROOT.iterdir()) if path.name not in (".git", ".coverage"))


def test_no_machine_and_no_registry() -> None:
    """Nothing depends on one machine's folders or names where packages are fetched from: that is the user's setting."""
    found = []
    for path in project_files():
        if not path.is_file() or path.suffix not in TEXT or path.name.startswith(".coverage"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if MACHINE.search(line) or INDEX.search(line) or any(host in line for host in REGISTRIES):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
