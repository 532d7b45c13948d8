"""The lab's migration.toml with its secrets beside it: the same file a person would write, with compressed times."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlencode

from kovra_checks.lab import setting
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.setting import Keys

__all__ = ["write_migration"]

TEMPLATE = """\
# The rehearsal's migration. Times are compressed; everything else is as in a real one.
version = 1
name = "rehearsal"
ca_file = "ca.pem"
resolvers = [{resolvers}]
dns_port = {dns_port}

[source]
platform = "heroku"
api_url = "https://{heroku_api}:{https}"
data_api_url = "https://{heroku_data_api}:{https}"
token = "file:secrets/heroku-token"

[target]
api_url = "https://{kovra_api}:{https}"
token = "file:secrets/kovra-token"
tenant = "acme"
plan = "business"

[apps.{app}]
source = "{source_app}"
repository = "{repository}"
branch = "main"
health_path = "/healthz"
database_health_path = "/healthz/db"
generated_host = "{target_host}"
databases = {{ DATABASE_URL = "{database}" }}
uploads = "object-storage"
upload_variables = ["S3_BUCKET", "S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
processes = {{ web = "gunicorn shop:app" }}

[apps.{app}.variables]
must_differ = ["DATABASE_URL"]

[apps.{app}.smoke.home]
path = "/"
contains = ["Pine &amp; Tide"]

[apps.{app}.smoke.products]
path = "/products"
contains = ["products"]

[apps.{app}.smoke.first-order]
path = "/orders/1"

[apps.{app}.smoke.sign-in]
method = "POST"
path = "/sessions"
headers = {{ Content-Type = "application/json" }}
body = '{{"user": "rehearsal"}}'
status = 201

[databases.{database}]
source_url = "file:secrets/source-database-url"
version = "{version}"
method = "dump-custom"
route = "direct"
write_strategy = "freeze"

[databases.{database}.critical_queries]
{queries}

[domains."{domain}"]
app = "{app}"
zone = "{zone}"
provider = "lab"
target = "{target_host}"
source_target = "{source_target}"
port = {https}
http_port = {http}

[dns_providers.lab]
kind = "rfc2136"
server = "{primary}"
key_name = "{tsig_key}"
key_secret = "file:secrets/tsig-key"
key_algorithm = "hmac-sha256"

[integrations.payments]
kind = "webhook"
app = "{app}"
domain = "{domain}"
path = "/webhooks/payments"
secret = "file:secrets/webhook-secret"

[integrations.login]
kind = "oauth"
app = "{app}"
domain = "{domain}"
path = "/auth/callback"
authorize_url = "{authorize_url}"

[jobs.{job}]
app = "{app}"
schedule = "{job_schedule}"
timezone = "UTC"
command = "{job_command}"
source_process = "{job_process}"

[watch]
rate = 10
paths = ["/", "/products", "/healthz/db"]
traffic_log = "traffic.jsonl"

[policy]
soak = "8s"
propagation_deadline = "15s"
action_deadline = "60s"
quiet_interval = "300ms"
patience = "10s"
low_ttl = 1
restored_ttl = 4
samples = 40
probe_timeout = "5s"
# An internal service name does not resolve on loopback: the managed database's address stands for it.
internal_database_suffixes = ["{target_postgres}"]
old_hosts = [".herokuapp.test", ".herokudns.test", ".herokuapp.com", ".herokudns.com", "{source_postgres}"]
"""


def write_migration(
    directory: Path, addresses: Addresses, keys: Keys, *, source_url: str, queries: dict[str, str], version: str
) -> Path:
    """Write `migration.toml` and `secrets/` into *directory* and return the file's path."""
    folder = directory / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, value in {
        "heroku-token": keys.heroku_token,
        "kovra-token": keys.kovra_token,
        "tsig-key": keys.tsig,
        "webhook-secret": keys.webhook,
        "source-database-url": source_url,
    }.items():
        _write_private(folder / name, value + "\n")
    path = directory / "migration.toml"
    path.write_text(TEMPLATE.format(**_values(addresses, queries), version=version), encoding="utf-8")
    return path


def _values(addresses: Addresses, queries: dict[str, str]) -> dict[str, object]:
    return {
        "resolvers": ", ".join(f'"{addresses.server(each)}"' for each in addresses.resolvers),
        "dns_port": addresses.dns_port,
        "heroku_api": addresses.heroku_api,
        "heroku_data_api": addresses.heroku_data_api,
        "kovra_api": addresses.kovra_api,
        "https": addresses.https_port,
        "http": addresses.http_port,
        "primary": addresses.server(addresses.nameservers[0]),
        "source_postgres": addresses.source_postgres,
        "target_postgres": addresses.target_postgres,
        "app": setting.APP,
        "source_app": setting.SOURCE_APP,
        "repository": setting.REPOSITORY,
        "database": setting.DATABASE,
        "queries": "\n".join(f"{name} = '''{sql}'''" for name, sql in sorted(queries.items())),
        "domain": setting.DOMAIN,
        "zone": setting.ZONE,
        "target_host": setting.TARGET_HOST,
        "source_target": setting.SOURCE_DNS_TARGET,
        "tsig_key": setting.TSIG_KEY,
        "authorize_url": authorize_url(addresses),
        "job": setting.JOB,
        "job_schedule": setting.JOB_SCHEDULE,
        "job_command": setting.JOB_COMMAND,
        "job_process": setting.SOURCE_JOB_PROCESS,
    }


def authorize_url(addresses: Addresses) -> str:
    """Where a login starts, as the app would send a browser there."""
    asked = {
        "response_type": "code",
        "client_id": setting.OAUTH_CLIENT,
        "redirect_uri": setting.callback_url(addresses),
        "state": "rehearsal",
    }
    return f"https://{addresses.oauth_provider}:{addresses.https_port}/authorize?{urlencode(asked)}"


def _write_private(path: Path, text: str) -> None:
    """Readable by the owner alone from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
