"""The pytest plugin: options, hook specifications, and the registration of the objects that do the work.

It stays out of the way unless suites are run: when a path below a stage folder, or one of its options, is given.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kovra_checks import hooks
from kovra_checks.run.journal import WORKERINPUT
from kovra_checks.stages import STAGES

__all__: list[str] = []

# How an option is worded: what it takes, what happens without it. Dangerous ones say what they change.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our options."""
    group = parser.getgroup("kovra-checks", "migration to Kovra Cloud (kovra-checks)")
    option = group.addoption
    option("--migration", metavar="FILE", help="the configuration; migration.toml where pytest is started unless given")
    option("--environment", metavar="NAME", default="", help="merge migration.NAME.toml over the configuration")
    option("--apply", action="store_true", help="apply the stage's actions; without it they are planned and shown")
    option("--plan", metavar="SHA", default="", help="with --apply: only if the stage's plan has this checksum")
    option("--reports", metavar="DIR", default="reports", help="where verdict, summary and evidence go (reports)")
    option("--replay-evidence", metavar="DIR", help="judge recorded evidence again, without any network")
    option("--rehearse", action="store_true", help="run in the lab instead of the world; actions are applied there")
    option("--world", choices=("heroku",), default="heroku", help="with --rehearse: the source platform (heroku)")
    option("--servers", choices=("lab",), default="lab", help="with --rehearse: whose servers (lab)")
    option("--fault", metavar="NAME", action="append", default=[], help="with --rehearse: break this; repeatable")
    option("--lab", metavar="DIR", help="with --rehearse: keep the lab in DIR, or attach to the one that runs there")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make `pytest_kovra_*` known."""
    pluginmanager.add_hookspecs(hooks)


def _is_ours(config: pytest.Config) -> bool:
    option = config.option
    if option.rehearse or option.migration or option.replay_evidence or option.apply:
        return True
    for argument in config.args:
        parts = Path(argument.split("::", 1)[0]).resolve().parts
        if "suites" in parts and (parts[-1] == "suites" or set(parts) & set(STAGES)):
            return True
    return False


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Open the run if suites are to be run: in the controller from the options, in a worker from what it was told."""
    told = getattr(config, "workerinput", {}).get(WORKERINPUT)
    if told is None and (hasattr(config, "workerinput") or not _is_ours(config)):
        return
    from kovra_checks.run.opening import join_run, open_run  # noqa: PLC0415 - costs nobody else's pytest

    if told is not None:
        join_run(config, told)
    else:
        open_run(config)


@pytest.fixture(scope="session")
def migration(request: pytest.FixtureRequest) -> object:
    """The configured `Migration` of this run."""
    from kovra_checks.run.context import RUN  # noqa: PLC0415

    return request.config.stash[RUN].migration
