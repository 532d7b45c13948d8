"""`kovra-checks run` finds the suites and hands pytest what was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from kovra_checks.cli.run import pytest_arguments
from kovra_checks.errors import ConfigError
from kovra_checks.shipped import suites_folder
from kovra_checks.stages import STAGES

CHECKOUT = Path("checkout", "suites")
INSTALLED = Path("site-packages", "kovra_checks", "suites")


@pytest.mark.parametrize(
    ("given", "stages", "rest"),
    [
        ([], ["."], []),
        (["precutover"], ["precutover"], []),
        (["cutover", "readiness"], ["readiness", "cutover"], []),
        (["--migration", "m.toml", "cutover", "--apply"], ["cutover"], ["--migration", "m.toml", "--apply"]),
        (["--migration=m.toml", "-n4", "cutover"], ["cutover"], ["--migration=m.toml", "-n4"]),
        (["-n", "4", "--environment", "database", "cutover"], ["cutover"], ["-n", "4", "--environment", "database"]),
        (["database", "-k", "database", "--lf"], ["database"], ["-k", "database", "--lf"]),
        (["--rehearse", "--fault", "x", "--fault", "y"], ["."], ["--rehearse", "--fault", "x", "--fault", "y"]),
        (["cutover", "-n"], ["cutover"], ["-n"]),
    ],
)
def test_stages_and_the_rest(given: list[str], stages: list[str], rest: list[str]) -> None:
    """Stages become paths in the order of the move; values of options are no stages; the rest is pytest's."""
    assert pytest_arguments(given, CHECKOUT) == [*(str(CHECKOUT / stage) for stage in stages), *rest]


def test_word_that_is_no_stage() -> None:
    """A typo is told with the nearest stage, not as a missing file."""
    with pytest.raises(ConfigError, match=r"there is no stage 'precutovr'\. Did you mean `precutover`\?"):
        pytest_arguments(["precutovr"], CHECKOUT)


def test_installed_suites_bring_their_settings() -> None:
    """Suites from a wheel do not take the settings of whatever project lies around them."""
    arguments = pytest_arguments(["readiness", "-x"], INSTALLED, extended=True)
    assert arguments[0] == "-c"
    assert Path(arguments[1]).name == "suites.ini"
    assert arguments[2:] == [
        f"--rootdir={INSTALLED.parent}", "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}", "-p", "conftest",
        str(INSTALLED / "readiness"), "-x",
    ]  # fmt: skip


def test_checkout_has_its_suites_beside_the_package() -> None:
    """In a checkout the suites are those at its top, all stages of them."""
    assert suites_folder() == Path(__file__).parent.parent / "suites"
    assert {folder.name for folder in suites_folder().iterdir() if folder.is_dir()} >= set(STAGES)
