"""Opens a run: reads the options, loads the configuration, takes the lease, registers the plugin objects."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kovra_checks import config as configuration
from kovra_checks.errors import KovraChecksError
from kovra_checks.ledger import Ledger
from kovra_checks.migration import Migration
from kovra_checks.report import allure
from kovra_checks.report.evidence import EvidenceReader
from kovra_checks.run.builtin import Builtin
from kovra_checks.run.collecting import Collecting, Ordering
from kovra_checks.run.context import RUN, Run, Settings
from kovra_checks.run.gatekeeper import Gatekeeper
from kovra_checks.run.guard import Guard
from kovra_checks.run.local import Local
from kovra_checks.run.rehearsed import RehearsalChecks
from kovra_checks.run.session import Conductor, archive, new_run_id
from kovra_checks.run.terminal import Outcomes, Terminal
from kovra_checks.run.watching import Watching
from kovra_checks.shipped import suites_folder
from kovra_checks.stages import STAGES, stage_of

__all__ = ["join_run", "open_run"]

DEFAULT = "migration.toml"
LOCAL = re.compile(r"(\d+\*)?popen\b")  # execnet's word for a process on this machine


def open_run(config: pytest.Config) -> None:
    """Called once, in the process that was started. Raises pytest.UsageError before anything was touched."""
    _refuse_what_defeats_gates(config)
    try:
        run = _opened(config)
    except KovraChecksError as error:
        raise pytest.UsageError(str(error)) from None
    _default_reports(config, run)
    _register(config, run)
    keeper = Gatekeeper(run)
    conductor = Conductor(run, keeper)
    plugins: list[object] = [keeper, conductor, _driver(config, run, keeper)]
    config.add_cleanup(lambda: _close(run))
    for plugin in plugins:
        config.pluginmanager.register(plugin)
    config.pluginmanager.register(_LateTerminal(run, conductor))
    if not config.option.collectonly:
        _stop_in_order()


def join_run(config: pytest.Config, told: str) -> None:
    """Called in each worker: the same configuration as the controller's, or a refusal."""
    allure.guard_clean(config)
    settings = Settings.from_text(told)
    migration = _migration(settings)
    if migration.digest != settings.digest:
        raise pytest.UsageError(f"{settings.migration} changed while the run was starting: start it again")
    ledger = Ledger(migration.path(migration.ledger)) if settings.token else None
    _register(config, Run(config.hook, settings, migration, ledger))


def _register(config: pytest.Config, run: Run) -> None:
    config.stash[RUN] = run
    config.option.importmode = "importlib"  # files of one name stand in several stages' folders
    allure.register(config)
    collecting = Collecting(run)
    for plugin in (Builtin(), collecting, Ordering(run, collecting), Guard(run), Outcomes(), Watching(run)):
        config.pluginmanager.register(plugin)
    if run.settings.lab and not config.option.collectonly:
        from kovra_checks.run.rehearsal import RehearsalMoments  # noqa: PLC0415 - the lab is loaded for rehearsals alone

        moments = RehearsalMoments(run)
        config.pluginmanager.register(moments)
        config.pluginmanager.register(RehearsalChecks(config, run, moments.look))
    elif run.settings.rehearsal:
        config.pluginmanager.register(RehearsalChecks(config, run, None))


def _refuse_what_defeats_gates(config: pytest.Config) -> None:
    option = config.option
    refused = {
        "--reruns": getattr(option, "reruns", None),
        "--last-failed, --failed-first": getattr(option, "lf", False) or getattr(option, "failedfirst", False),
        "--new-first": getattr(option, "newfirst", False),
        "--stepwise": getattr(option, "stepwise", False),
        "--looponfail": getattr(option, "looponfail", False),
    }
    for name in (name for name, given in refused.items() if given):
        raise pytest.UsageError(f"{name} cannot be used with the suites: a gate needs every check, once, in order")
    narrowed = option.keyword or option.markexpr or getattr(option, "deselect", None)
    if (option.apply or option.rehearse) and narrowed and not option.collectonly:
        raise pytest.UsageError("-k, -m and --deselect cannot be used when actions are applied: look without --apply")
    if option.plan and not option.apply:
        raise pytest.UsageError("--plan SHA pins what --apply applies: give both")
    if (option.fault or option.lab) and not option.rehearse:
        raise pytest.UsageError("--fault and --lab belong to a rehearsal: give --rehearse as well")
    if option.rehearse and (option.migration or option.replay_evidence):
        raise pytest.UsageError("--rehearse brings its own configuration: do not give --migration or --replay-evidence")
    if getattr(option, "dist", "no") not in ("no", "load", "worksteal"):
        raise pytest.UsageError(f"--dist {option.dist} cannot be used with the suites: they are distributed by stage")
    if not all(LOCAL.match(str(spec)) for spec in option.tx or []):
        raise pytest.UsageError("only local workers (-n N) can be used: they share the run's folder")


def _opened(config: pytest.Config) -> Run:
    option = config.option
    reports = Path(option.reports).resolve()
    if option.replay_evidence:
        return _replayed(config, Path(option.replay_evidence).resolve(), reports)
    lab = ""
    if option.rehearse:
        lab = _rehearsed(config, reports)
    path = Path(lab, DEFAULT) if lab else Path(option.migration or DEFAULT).resolve()
    if not path.exists() and not option.migration and not lab:
        raise pytest.UsageError(
            f"no configuration: {path} is not there. Give --migration FILE, draft one from migration.example.toml, or "
            "try everything in the lab with --rehearse"
        )
    migration = configuration.load(path, environment=option.environment or None)
    run_id = new_run_id()
    directory = migration.path(migration.ledger).parent / "runs" / run_id
    ledger, token = None, 0
    if option.collectonly:
        directory = Path(tempfile.mkdtemp(prefix="kovra-collect-"))
    else:
        ledger = Ledger(migration.path(migration.ledger))
        token = ledger.acquire(run_id).token
        archive(reports)
    settings = Settings(
        run_id=run_id, directory=str(directory), reports=str(reports), migration=str(path),
        environment=option.environment, digest=migration.digest, rehearsal=bool(lab),
        apply=bool(option.apply or option.rehearse), pin=option.plan, token=token, replay="", lab=lab,
    )  # fmt: skip
    return Run(config.hook, settings, migration, ledger)


def _replayed(config: pytest.Config, evidence: Path, reports: Path) -> Run:
    reader = EvidenceReader(evidence)
    migration = _recorded_migration(reader)
    if evidence.is_relative_to(reports):
        reports = reports / "replay"  # what is replayed must not be overwritten by its replay
    was = reader.json("run")
    settings = Settings(
        run_id=f"replay-of-{was['run_id']}", directory=tempfile.mkdtemp(prefix="kovra-replay-"), reports=str(reports),
        migration="", environment="", digest=migration.digest, rehearsal=was["rehearsal"], apply=was["apply"], pin="",
        token=0, replay=str(evidence), lab="",
    )  # fmt: skip
    return Run(config.hook, settings, migration, None)


def _recorded_migration(reader: EvidenceReader) -> Migration:
    return Migration.model_validate(reader.json("migration"))


def _migration(settings: Settings) -> Migration:
    if settings.replay:
        return _recorded_migration(EvidenceReader(Path(settings.replay)))
    return configuration.load(Path(settings.migration), environment=settings.environment or None)


def _rehearsed(config: pytest.Config, reports: Path) -> str:
    from kovra_checks.run.rehearsal import open_lab, sketch_lab  # noqa: PLC0415 - the lab is loaded for rehearsals alone

    option = config.option
    if option.collectonly:
        sketch = sketch_lab()
        config.add_cleanup(sketch.cleanup)
        return sketch.name
    asked = [stage for stage in map(stage_of, config.args) if stage is not None]
    first = min(asked, key=STAGES.index) if asked and len(asked) == len(config.args) else None
    directory = None if option.lab is None else Path(option.lab).resolve()
    rehearsal = open_lab(directory, option.fault, first, suites_folder())
    config.add_cleanup(rehearsal.close)
    config.pluginmanager.register(_Traffic(rehearsal.keep_traffic, reports))
    return str(rehearsal.directory)


class _Traffic:
    """Keeps the lab's traffic log before the verdict counts it."""

    def __init__(self, keep: Callable[[Path], None], reports: Path) -> None:
        self._keep = keep
        self._reports = reports

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """The log so far."""
        self._keep(self._reports)


class _LateTerminal:
    """The terminal reporter is registered after us: join it when the session starts."""

    def __init__(self, run: Run, conductor: Conductor) -> None:
        self._run = run
        self._conductor = conductor

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Register the progress display."""
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            session.config.pluginmanager.register(Terminal(self._run, reporter, self._conductor))


def _driver(config: pytest.Config, run: Run, keeper: Gatekeeper) -> object:
    if getattr(config.option, "dist", "no") == "no" or not config.option.tx:
        return Local(keeper)
    from kovra_checks.run.distributed import Distributed  # noqa: PLC0415 - works without pytest-xdist

    config.option.maxworkerrestart = "0"  # a worker that died inside an action must not be replaced as if nothing was
    return Distributed(run, keeper)


def _default_reports(config: pytest.Config, run: Run) -> None:
    option = config.option
    if option.collectonly:
        return
    if getattr(option, "xmlpath", None) is None:
        option.xmlpath = str(run.reports / "junit.xml")
    if hasattr(option, "allure_report_dir") and option.allure_report_dir is None:
        option.allure_report_dir = str(run.reports / "allure-results")
        option.clean_alluredir = True


def _stop_in_order() -> None:
    """A terminated run ends like an interrupted one: with its verdict written and its lease given back."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _close(run: Run) -> None:
    if run.ledger is not None:
        run.ledger.release(run.lease)
        run.ledger.close()
