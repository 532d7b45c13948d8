"""Which variable values are secrets.

Every value a platform hands over is masked from then on, unless it is plainly none: masking the shop's own domain name
would blank it in all evidence, and masking the word `production` would make different answers look alike.
"""

from __future__ import annotations

import re

from kovra_checks.access import Access

__all__ = ["learn_value"]

SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASS|PWD|KEY|CREDENTIAL|AUTH|PRIVATE|SALT|SIGN|DSN|COOKIE|SESSION|CERT", re.IGNORECASE
)
ORDINARY = re.compile(r"[a-z_-]{1,12}|[0-9.]{1,12}", re.IGNORECASE)
ORIGIN = re.compile(r"(https?|wss?)://[^/@?#\s]+/?", re.IGNORECASE)


def learn_value(access: Access, name: str, value: str | None) -> None:
    """Have *value* masked, unless it is plainly no secret.

    No secrets are: what the migration file itself says (it refuses secrets), a web origin without user or path, and,
    under a name that does not sound secret, a single word or number.
    """
    if value is None or _is_public(access, name, value):
        return
    access.secrets.learn(value)


def _is_public(access: Access, name: str, value: str) -> bool:
    if ORIGIN.fullmatch(value) or value in access.migration.model_dump_json():
        return True
    return SECRET_NAME.search(name) is None and ORDINARY.fullmatch(value) is not None
