"""The lab's world: everything a migration touches, on one loopback block, saved to and started from one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kovra_checks.lab import setting
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.copying import SERVERS, copy_state
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.heroku_api import HerokuApi
from kovra_checks.lab.kovra_api import KovraApi
from kovra_checks.lab.migration_file import write_migration
from kovra_checks.lab.oauth_provider import OAuthProvider
from kovra_checks.lab.object_store import ObjectStore
from kovra_checks.lab.postgres import PgServer
from kovra_checks.lab.sample_app import ShopApp
from kovra_checks.lab.seed import CRITICAL_QUERIES, seed
from kovra_checks.lab.setting import Keys
from kovra_checks.lab.source_side import SourceSide
from kovra_checks.lab.target_side import TargetSide
from kovra_checks.lab.traffic_process import TrafficProcess

__all__ = ["World"]

STATE = "state.json"
SOURCE_ROLE = "shop"
SOURCE_DATABASE = "shop"


class World:
    """One lab's world. Nothing runs before `start`; nothing of it runs after `stop`.

    Faults break it through its parts; all of them may be used while it runs.

    Args:
        directory: The lab's folder; made when absent. Holds all state.
        addresses: Where its servers listen.

    Attributes:
        ca: The certificate authority that `ca.pem` (in the folder) trusts.
        dns: Authoritative servers and resolvers.
        source_db: The source's PostgreSQL server.
        target_db: Kovra's PostgreSQL server (TLS).
        source_edge: The source's router.
        target_edge: Kovra's ingress.
        source: What stands behind the source's API: its shop, process counts, maintenance page.
        target: What stands behind Kovra's API: its shop, managed databases, domains, jobs.
        heroku: The source's APIs.
        kovra: Kovra's API.
        oauth: The login provider.
        store: The object storage.
        traffic: The users.
        keys: All secrets.
    """

    def __init__(self, directory: Path, addresses: Addresses) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.addresses = addresses
        self._saved = _read_state(directory)
        self.keys = Keys() if self._saved is None else Keys(**self._saved["keys"])
        self.ca = LabCA(directory / "ca")
        self.dns = DnsLab(addresses, tsig_name=setting.TSIG_KEY, tsig_secret=self.keys.tsig)
        self.source_db = PgServer(directory / SERVERS[0], addresses.source_postgres, addresses.postgres_port)
        self.target_db = PgServer(
            directory / SERVERS[1],
            addresses.target_postgres,
            addresses.postgres_port,
            certificate=self.ca.issue([addresses.target_postgres]),
        )
        self.source_edge = self._edge([addresses.source_edge], "router.herokudns.test")
        self.target_edge = self._edge(addresses.target_edges, "ingress.local")
        self._outside = self._edge([addresses.oauth_provider, addresses.object_store], *self._outside_hosts())
        self.source = SourceSide(self.source_edge, self.ca)
        self.target = TargetSide(self.target_edge, self.target_db, self.ca, self.keys.target_password)
        self.oauth = OAuthProvider(setting.OAUTH_CLIENT, self.keys.oauth, (setting.callback_url(addresses),))
        self.store = ObjectStore(setting.BUCKET, setting.UPLOADER, self.keys.bucket)
        certificate = self._certificate(addresses.heroku_api, addresses.heroku_data_api, addresses.kovra_api)
        self.heroku = HerokuApi(addresses, certificate, self.keys.heroku_token)
        self.kovra = KovraApi(addresses, certificate, self.keys.kovra_token)
        self.traffic = TrafficProcess(directory, addresses)
        self._wire()

    @property
    def source_app(self) -> ShopApp:
        """The shop at the source. Its `behaviour` outlives restarts. Raises RuntimeError when it is not running."""
        if self.source.app is None:
            raise RuntimeError("no app runs at the source")
        return self.source.app

    @property
    def target_app(self) -> ShopApp | None:
        """The shop on Kovra Cloud; None until it is deployed."""
        return self.target.app

    @property
    def source_url(self) -> str:
        """Connection URL of the source database as the shop uses it (a secret)."""
        return self.source_db.url(SOURCE_ROLE, self.keys.source_password, SOURCE_DATABASE)

    def database_urls(self) -> dict[str, str]:
        """Connection URLs (secrets) of the shop's database at the source and of the managed one, made or not."""
        role = setting.DATABASE
        managed = self.target_db.url(role, self.keys.target_password, setting.DATABASE, "require")
        return {"source": self.source_url, "target": managed}

    @staticmethod
    def saved_prefix(directory: Path) -> str | None:
        """The address block of the state saved in *directory*, or None when there is none."""
        state = _read_state(directory)
        return None if state is None else str(state["prefix"])

    def start(self, *, traffic: bool = True) -> None:
        """Start everything, from the saved state if there is one. Raises when a part does not start."""
        with ThreadPoolExecutor(2) as together:  # the slowest part
            list(together.map(PgServer.start, (self.source_db, self.target_db)))
        if self._saved is None:
            self._create()
        else:
            self._restore(self._saved)
        for start in (self.dns.start, self._outside.start, self.source_edge.start, self.target_edge.start,
                      self.heroku.start, self.kovra.start):  # fmt: skip
            start()
        if traffic:
            self.traffic.start()

    def stop(self) -> None:
        """Stop everything, users first, and write the state. Does nothing more when called again."""
        self.traffic.stop()
        for stop in (self.kovra.stop, self.heroku.stop):
            stop()
        if self.source.app is not None:
            self._write_state()
        for stop in (self.source_edge.stop, self.target_edge.stop, self._outside.stop, self.source.stop,
                     self.target.stop, self.dns.stop, self.source_db.stop, self.target_db.stop):  # fmt: skip
            stop()

    def save(self, to: Path | None = None) -> None:
        """Write the state, and copy the whole folder to *to* while the databases are cleanly stopped.

        Users are held meanwhile; sessions of others are cut.
        """
        self.traffic.hold()
        try:
            self._write_state()
            if to is not None:
                self.source_db.stop()
                self.target_db.stop()
                copy_state(self.directory, to)
                self.source_db.start()
                self.target_db.start()
        finally:
            self.traffic.resume()

    def describe(self) -> dict[str, Any]:
        """What runs, for people; no secrets."""
        app = self.target.app
        return {
            "prefix": self.addresses.prefix,
            "source": {"processes": self.source.processes, "maintenance": self.source.maintenance},
            "target": {"deployed": app is not None, "hosts": sorted(self.target.hosts)},
            "jobs": {
                "source": list(self.source_app.scheduler.jobs),
                "target": [] if app is None else list(app.scheduler.jobs),
            },
        }

    def _create(self) -> None:
        """The world before the move."""
        server = self.source_db
        server.create_role_and_database(SOURCE_ROLE, self.keys.source_password, SOURCE_DATABASE)
        seed(self.source_url)
        variables = setting.source_variables(self.addresses, self.keys, self.source_url)
        commands = {"web": "gunicorn shop:app", setting.SOURCE_JOB_PROCESS: setting.JOB_COMMAND}
        self.heroku.seed(
            app=setting.SOURCE_APP, commit=setting.COMMIT, config=variables, domain=setting.DOMAIN,
            dns_target=setting.SOURCE_DNS_TARGET, commands=commands, database="postgresql-curved-12345",
        )  # fmt: skip
        write_migration(
            self.directory, self.addresses, self.keys,
            source_url=self.source_url, queries=dict(CRITICAL_QUERIES), version="17",
        )  # fmt: skip
        (self.directory / "ca.pem").write_bytes(self.ca.root_pem)
        self._run_source()
        self._write_state()

    def _restore(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load(state[name])
        self._run_source()

    def _run_source(self) -> None:
        """Bring the source's side to what its API says."""
        told = self.heroku.edit(setting.SOURCE_APP)
        self.source.maintenance = told["maintenance"]
        self.source.scale({kind: facts["quantity"] for kind, facts in told["formation"].items()})
        self.source.restart(told["config"])
        for host in (setting.SOURCE_DNS_TARGET, *told["domains"]):
            self.source.serve(host)

    def _wire(self) -> None:
        """Have the APIs' orders done."""
        self.heroku.on_scale(lambda _app, counts: self.source.scale(counts))
        self.heroku.on_maintenance(lambda _app, on: setattr(self.source, "maintenance", on))
        self.heroku.on_domain(
            lambda _app, host, attached: self.source.serve(host) if attached else self.source.unserve(host)
        )
        self.heroku.on_config(lambda _app, config: self.source.restart(config))
        self.kovra.on_database(self.target.create_database)
        self.kovra.on_delete(lambda _app: self.target.undeploy())
        self.kovra.on_deploy(
            lambda app, variables, _commit: self.target.deploy(
                self.kovra.app(app)["facts"]["generated_host"], variables
            )
        )
        self.kovra.on_domain(
            lambda _app, host, attached: self.target.attach(host) if attached else self.target.detach(host)
        )
        self.kovra.on_job(
            lambda _app, job: self.target.schedule(job["name"], active=not (job["deleted"] or job["suspended"]))
        )
        self._outside.route(self.addresses.oauth_provider, self.oauth)
        self._outside.route(self.addresses.object_store, self.store)

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own, by its name in the state file; in the order of loading."""
        return {
            "dns": self.dns, "heroku": self.heroku, "kovra": self.kovra, "oauth": self.oauth, "store": self.store,
            "target": self.target,
        }  # fmt: skip

    def _write_state(self) -> None:
        state = {"prefix": self.addresses.prefix, "keys": self.keys.save()}
        state |= {name: part.save() for name, part in self._parts().items()}
        draft = self.directory / f"{STATE}.draft"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(self.directory / STATE)

    def _outside_hosts(self) -> tuple[str, str]:
        return self.addresses.oauth_provider, self.addresses.object_store

    def _certificate(self, *names: str) -> tuple[str, str]:
        chain, key = self.ca.issue(names)
        return chain.decode(), key.decode()

    def _edge(self, addresses: Sequence[str], *names: str) -> Edge:
        """An edge whose default certificate is for *names*."""
        return Edge(addresses, self.addresses.https_port, self.addresses.http_port, self._certificate(*names))


def _read_state(directory: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return state
