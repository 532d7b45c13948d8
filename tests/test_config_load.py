"""A right file becomes a Migration: names, order, overlays, references, defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kovra_checks.config import ConfigErrors, load, load_text

MINIMAL = """
name = "shop"
[source]
platform = "generic"
[target]
[apps.web]
"""

FULL = (
    MINIMAL
    + """
[apps.web.smoke.zebra]
path = "/z"
[apps.web.smoke.ant]
path = "/a"
[apps.api]
databases = { DATABASE_URL = "main" }
[databases.main]
source_url = "env:SOURCE"
[domains."Shop.Example.com"]
app = "web"
zone = "example.com."
provider = "primary"
target = "web.apps.kovra.example"
source_target = "shop.herokudns.com"
[dns_providers.primary]
kind = "manual"
[integrations.hook]
kind = "webhook"
app = "web"
domain = "shop.example.com"
path = "/hook"
[jobs.nightly]
app = "api"
schedule = "0 3 * * *"
command = "run"
"""
)


def test_tables_become_tuples_sorted_by_name() -> None:
    """The table's key is the name, and order does not depend on the file."""
    migration = load_text(FULL)
    assert [app.name for app in migration.apps] == ["api", "web"]
    assert [smoke.name for smoke in migration.app("web").smoke] == ["ant", "zebra"]
    assert [database.name for database in migration.databases] == ["main"]
    assert [provider.name for provider in migration.dns_providers] == ["primary"]
    assert [one.name for one in migration.integrations] == ["hook"]
    assert [one.name for one in migration.jobs] == ["nightly"]


def test_host_names_are_compared_as_dns_does() -> None:
    """Case and the root dot of a domain's name do not matter, also where it is referred to."""
    domain = load_text(FULL).domain("shop.example.com")
    assert (domain.name, domain.zone) == ("shop.example.com", "example.com")


def test_names_at_both_sides_default_to_the_key() -> None:
    """An app that says nothing else is called the same everywhere."""
    app = load_text(MINIMAL).app("web")
    assert (app.source, app.target_name) == ("web", "web")


def test_directory_is_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """References to files start where the configuration lies, also when it was named relative to the shell."""
    (tmp_path / "migration.toml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load(Path("migration.toml")).directory == tmp_path


def test_overlay_is_merged_table_by_table(tmp_path: Path) -> None:
    """An overlay changes what it names and leaves the rest; arrays are replaced."""
    (tmp_path / "migration.toml").write_text(FULL + '[watch]\npaths = ["/a", "/b"]\nrate = 2.0\n')
    (tmp_path / "migration.staging.toml").write_text(
        '[apps.web]\nbranch = "staging"\n[watch]\npaths = ["/c"]\n[policy]\nsoak = "1h"\n'
    )
    migration = load(tmp_path / "migration.toml", environment="staging")
    assert migration.app("web").branch == "staging"
    assert len(migration.app("web").smoke) == 2
    assert (migration.watch.paths, migration.watch.rate) == (("/c",), 2.0)
    assert migration.policy.soak == timedelta(hours=1)
    assert migration.digest != load(tmp_path / "migration.toml").digest


def test_error_in_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    """A problem is told with the file and line that hold the key."""
    (tmp_path / "migration.toml").write_text(MINIMAL)
    (tmp_path / "migration.staging.toml").write_text('# staging\n[apps.web]\nbrunch = "x"\n')
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / "migration.toml", environment="staging")
    assert [(Path(problem.file).name, problem.line) for problem in caught.value.problems] == [
        ("migration.staging.toml", 3)
    ]


@pytest.mark.parametrize("environment", ["../other", "", "a b", "/etc/x"])
def test_environment_is_a_plain_word(tmp_path: Path, environment: str) -> None:
    """The name of an environment cannot lead to another folder."""
    (tmp_path / "migration.toml").write_text(MINIMAL)
    with pytest.raises(ConfigErrors, match="no plain word"):
        load(tmp_path / "migration.toml", environment=environment)


def test_missing_overlay_is_an_error(tmp_path: Path) -> None:
    """An environment without its file must not silently mean the base file."""
    (tmp_path / "migration.toml").write_text(MINIMAL)
    with pytest.raises(ConfigErrors, match=r"migration\.staging\.toml: no such file"):
        load(tmp_path / "migration.toml", environment="staging")


def test_expired_waiver_is_allowed() -> None:
    """A waiver whose date has passed has no force, but is no error: the file need not change at midnight."""
    from kovra_checks.checklist import CHECKLIST  # noqa: PLC0415

    check = next(iter(CHECKLIST))
    text = (
        MINIMAL + f'[[waivers]]\ncheck = "{check}"\nreason = "long enough a reason"\nby = "Dana"\nuntil = 2020-01-31\n'
    )
    assert load_text(text).waivers[0].check == check


def test_write_strategy_is_not_asked_for() -> None:
    """A database without a write strategy is valid configuration: the gate refuses it, with the reasons."""
    assert load_text(FULL).database("main").write_strategy is None


def test_example_is_complete_and_valid() -> None:
    """migration.example.toml can be copied as it is."""
    migration = load(Path(__file__).parent.parent / "migration.example.toml")
    assert all(
        (migration.apps, migration.databases, migration.domains, migration.dns_providers, migration.integrations,
         migration.jobs, migration.app("web").smoke, migration.database("main").critical_queries)
    )  # fmt: skip
