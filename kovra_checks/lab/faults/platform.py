"""Faults of the platform family. They change what the control APIs say, so that exactly one thing is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kovra_checks.lab import setting
from kovra_checks.lab.faults.base import Fault

if TYPE_CHECKING:
    from kovra_checks.lab.world import World

__all__ = ["FAULTS"]

OLD_HOST = f"https://{setting.SOURCE_APP}.herokuapp.com"


def _tenant_not_ready(world: World) -> None:
    world.kovra.state["tenant"]["status"] = "provisioning"


def _quota_exceeded(world: World) -> None:
    world.kovra.state["tenant"]["database_quota"] = len(world.kovra.state["databases"])


def _git_provider_disconnected(world: World) -> None:
    world.kovra.state["git_providers"] = []


def _database_older(world: World) -> None:
    world.kovra.state["databases"][setting.DATABASE]["version"] = "15"


def _database_not_ready(world: World) -> None:
    world.kovra.state["databases"][setting.DATABASE] |= {"status": "failed", "error_message": "volume is full"}


def _commit_differs(world: World) -> None:
    world.kovra.app(setting.APP)["facts"]["commit"] = "0" * 40


def _health_path_differs(world: World) -> None:
    world.kovra.app(setting.APP)["facts"]["health_path"] = "/"


def _domain_not_attached(world: World) -> None:
    del world.kovra.app(setting.APP)["domains"][setting.DOMAIN]


def _variable_missing(world: World) -> None:
    del world.kovra.app(setting.APP)["variables"]["LOG_LEVEL"]


def _variable_wrong(world: World) -> None:
    world.kovra.app(setting.APP)["variables"]["LOG_LEVEL"] = "debug"


def _old_host_on_both_sides(world: World) -> None:
    """At parity, so that nothing but the old host is wrong."""
    world.heroku.edit(setting.SOURCE_APP)["config"]["ASSET_URL"] = OLD_HOST
    world.kovra.app(setting.APP)["variables"]["ASSET_URL"] = OLD_HOST


def _database_url_external(world: World) -> None:
    variables = world.kovra.app(setting.APP)["variables"]
    variables["DATABASE_URL"] = "postgresql://shop:canary@db.example.test:5432/shop?sslmode=require"


def _app_restarts(world: World) -> None:
    world.kovra.app(setting.APP)["facts"]["restarts"] = 5


def _uploads_on_local_disk(world: World) -> None:
    for name in ("S3_BUCKET", "S3_ENDPOINT"):
        del world.kovra.app(setting.APP)["variables"][name]


def _job_missing(world: World) -> None:
    del world.kovra.app(setting.APP)["jobs"][setting.JOB]


def _job_active_on_both_sides(world: World) -> None:
    world.kovra.app(setting.APP)["jobs"][setting.JOB]["suspended"] = False


def _certificate_issuance_stuck(world: World) -> None:
    retry = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    world.kovra.app(setting.APP)["domains"][setting.DOMAIN] |= {
        "status": "TLS Issuing", "retry_at": retry, "message": "too many certificates already issued for this name",
    }  # fmt: skip


FAULTS: tuple[Fault, ...] = (
    Fault("tenant-not-ready", "The tenant is still being provisioned.", "readiness", ("tenant-is-ready",),
          _tenant_not_ready, remedy="ready"),
    Fault("quota-exceeded", "The plan's database quota is used up.", "readiness", ("database-quota-suffices",),
          _quota_exceeded, remedy="429"),
    Fault("git-provider-disconnected", "No Git provider is connected to Kovra.", "readiness",
          ("git-provider-is-connected",), _git_provider_disconnected, remedy="Integrations"),
    Fault("managed-database-older", "The managed database has an older major version than the source.", "provision",
          ("managed-database-is-ready",), _database_older, remedy="version"),
    Fault("managed-database-failed", "The managed database failed and has no URL any more.", "provision",
          ("database-url-is-target", "managed-database-is-ready"), _database_not_ready, remedy="volume is full"),
    Fault("commit-differs", "Another commit was deployed to Kovra Cloud than runs at the source.", "provision",
          ("app-built-from-same-commit",), _commit_differs, remedy="Deploy the commit"),
    Fault("health-path-differs", "Kovra asks another health check path than the app answers.", "provision",
          ("health-path-matches-source",), _health_path_differs, remedy="/healthz"),
    Fault("domain-not-attached", "The custom domain is not attached on Kovra Cloud.", "provision",
          ("domain-is-attached",), _domain_not_attached, remedy="external access"),
    Fault("variable-wrong", "A variable has another value than at the source.", "provision",
          ("variables-match-source",), _variable_wrong, remedy="LOG_LEVEL"),
    Fault("variable-missing", "A variable was lost on the way.", "pitfalls", ("variables-match-source",),
          _variable_missing, remedy="LOG_LEVEL"),
    Fault("database-url-external", "The app's database variable names an external host.", "pitfalls",
          ("database-url-is-internal",), _database_url_external, remedy="internal"),
    Fault("app-restarts", "The app on Kovra Cloud crashes and restarts.", "pitfalls", ("app-does-not-restart",),
          _app_restarts, remedy="log"),
    Fault("uploads-on-local-disk", "The object storage's variables are lost, so uploads go to the container's disk.",
          "pitfalls", ("uploads-are-persistent", "variables-match-source"), _uploads_on_local_disk,
          remedy="object storage"),
    Fault("job-missing", "The scheduled job does not exist on Kovra Cloud.", "pitfalls", ("scheduled-jobs-exist",),
          _job_missing, remedy="CronJob"),
    Fault("job-active-on-both-sides", "The scheduled job runs on both sides.", "pitfalls", ("scheduled-jobs-exist",),
          _job_active_on_both_sides, remedy="twice"),
    Fault("certificate-issuance-stuck", "Issuance of the certificate is refused by the authority.", "pitfalls",
          ("certificate-issuance-progresses",), _certificate_issuance_stuck, remedy="tries again"),
    Fault("variable-points-at-old-host", "A variable, copied as it is, points at a host of the source.", "precutover",
          ("variables-are-correct",), _old_host_on_both_sides, remedy="ASSET_URL"),
    Fault("old-host-hard-coded", "After the cutover a variable still points at a host of the source.", "postcutover",
          ("no-old-host-remains",), _old_host_on_both_sides, remedy="ASSET_URL"),
)  # fmt: skip
