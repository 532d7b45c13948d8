"""The lab's two control APIs on loopback, and an Access whose clients talk to them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from kovra_checks.access import Access, ActionRecord, Clients
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.heroku_api import HerokuApi
from kovra_checks.lab.kovra_api import KovraApi
from kovra_checks.migration import Migration
from kovra_checks.platforms import kovra_cloud, source_platform
from kovra_checks.secrets import Secrets

HEROKU_TOKEN = "canary-heroku-token"
KOVRA_TOKEN = "canary-kovra-token"
SOURCE_URL = "postgresql://shop:canary-old-password@127.0.0.70:15432/shop"
TARGET_URL = "postgresql://shop:canary-new-password@main-rw.acme.svc:5432/shop?sslmode=require"
COMMIT = "5f3c2a9d41e7b8064cf1a2d3e4b5968778695a4b"
DOMAIN = "shop.example.test"
CONFIG = {"DATABASE_URL": SOURCE_URL, "LOG_LEVEL": "info", "SECRET_KEY": "canary-secret-key", "S3_BUCKET": "uploads-1"}


@dataclass
class Ledger:
    """What the ledger would say, set by the test."""

    records: dict[str, ActionRecord] = field(default_factory=dict)

    def applied(self, action_id: str) -> ActionRecord | None:
        """The record the test put there."""
        return self.records.get(action_id)


@dataclass
class Platforms:
    """The running APIs with what is needed to reach them."""

    heroku: HerokuApi
    kovra: KovraApi
    ca: LabCA
    directory: Path
    ledger: Ledger = field(default_factory=Ledger)

    def migration(self, **changes: Any) -> Migration:
        """A migration of the shop; *changes* replace top-level keys of the file."""
        data: dict[str, Any] = {
            "name": "shop",
            "source": {"platform": "heroku", "api_url": self.heroku.platform.url, "token": "file:heroku",
                       "data_api_url": self.heroku.data.url},
            "target": {"api_url": self.kovra.server.url, "token": "file:kovra", "tenant": "acme"},
            "apps": [{"name": "web", "source": "shop-web", "repository": "https://github.com/acme/shop",
                      "databases": {"DATABASE_URL": "main"}, "uploads": "object-storage",
                      "upload_variables": ["S3_BUCKET"], "variables": {"must_differ": ["DATABASE_URL"]}}],
            "databases": [{"name": "main", "source_url": "file:source-url", "version": "17"}],
            "domains": [{"name": DOMAIN, "app": "web", "zone": "example.test", "target": "web.apps.kovra.test",
                         "source_target": "quiet-pine-1234.herokudns.test"}],
            "jobs": [{"name": "nightly", "app": "web", "schedule": "0 3 * * *",
                      "command": "python -m shop.jobs nightly", "source_process": "clock"}],
            "policy": {"probe_timeout": "1s", "action_deadline": "5s", "soak": "48h"},
            "ca_file": str(self.ca.root_file),
            "directory": self.directory,
        }  # fmt: skip
        return Migration.model_validate({**data, **changes})

    def access(self, migration: Migration | None = None) -> Access:
        """An Access of its own for *migration*."""
        migration = self.migration() if migration is None else migration
        clients = Clients(source=source_platform, kovra=kovra_cloud, dns=_no_dns)
        secrets = Secrets(self.directory, digest_key=b"k" * 32)
        return Access(migration, secrets, self.ledger, clients, work=self.directory)

    def client(self) -> httpx.Client:
        """A plain client that trusts the lab, for looking at the wire."""
        trust = ssl.create_default_context(cafile=str(self.ca.root_file))
        return httpx.Client(verify=trust, trust_env=False, timeout=5)

    def build_target(self, **variables: str) -> None:
        """Put the shop onto Kovra Cloud as a finished provision stage leaves it."""
        values = {**CONFIG, "DATABASE_URL": TARGET_URL, **variables}
        self.kovra.state["databases"]["main"] = {
            "name": "main", "version": "17", "status": "ready", "url": TARGET_URL, "error_message": None,
        }  # fmt: skip
        self.kovra.state["apps"]["web"] = {
            "facts": {"name": "web", "repository": "https://github.com/acme/shop", "branch": "main", "restarts": 0,
                      "health_path": "/healthz", "port": 8080, "status": "running", "commit": COMMIT,
                      "generated_host": "web.apps.kovra.test"},
            "variables": values,
            "domains": {DOMAIN: {"status": "TLS Ready", "tls": True, "retry_at": None, "message": None}},
            "jobs": {"nightly": {"name": "nightly", "schedule": "0 3 * * *", "timezone": "UTC",
                                 "command": "python -m shop.jobs nightly", "suspended": True}},
            "deployments": {},
        }  # fmt: skip


def _no_dns(_access: Access, _provider: str) -> Any:
    raise AssertionError("no test here changes DNS")


def record(action_id: str, at: str, facts: Mapping[str, Any] | None = None) -> ActionRecord:
    """A ledger record."""
    return ActionRecord(action_id, at, {} if facts is None else facts)


@pytest.fixture(scope="session")
def platform_ca(tmp_path_factory: pytest.TempPathFactory) -> LabCA:
    """One certificate authority for all tests of a worker."""
    return LabCA(tmp_path_factory.mktemp("platform-ca"))


@pytest.fixture
def platforms(platform_ca: LabCA, tmp_path: Path) -> Iterator[Platforms]:
    """Both control APIs, fresh: the shop at the source, an empty tenant at the target."""
    addresses = Addresses("127.0.0", https_port=0)
    chain, key = platform_ca.issue((addresses.heroku_api, addresses.heroku_data_api, addresses.kovra_api))
    certificate = (chain.decode(), key.decode())
    heroku = HerokuApi(addresses, certificate, HEROKU_TOKEN)
    heroku.seed(commit=COMMIT, config=CONFIG)
    kovra = KovraApi(addresses, certificate, KOVRA_TOKEN)
    kovra.on_database(lambda _name: TARGET_URL)
    for name, value in {"heroku": HEROKU_TOKEN, "kovra": KOVRA_TOKEN, "source-url": SOURCE_URL}.items():
        (tmp_path / name).write_text(value)
    heroku.start()
    kovra.start()
    try:
        yield Platforms(heroku, kovra, platform_ca, tmp_path)
    finally:
        heroku.stop()
        kovra.stop()
