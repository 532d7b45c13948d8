"""The OpenAPI 3.1 description of the lab's Kovra API: what this project ASSUMES, in a form that can be compared."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["openapi_document"]

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NULLABLE: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}

SCHEMAS: dict[str, tuple[Schema, tuple[str, ...]]] = {
    "Tenant": (
        {"name": TEXT, "status": TEXT, "plan": NULLABLE, "database_quota": COUNT, "databases": COUNT},
        ("name", "status"),
    ),
    "GitProvider": ({"name": TEXT}, ("name",)),
    "App": (
        {"name": TEXT, "status": TEXT, "repository": NULLABLE, "branch": NULLABLE, "commit": NULLABLE,
         "health_path": NULLABLE, "generated_host": NULLABLE, "restarts": COUNT,
         "port": {"type": ["integer", "null"]}},
        ("name",),
    ),
    "Variable": ({"name": TEXT, "value": NULLABLE, "origin": TEXT}, ("name", "value")),
    "Variables": ({"variables": {"type": "object", "additionalProperties": NULLABLE}}, ("variables",)),
    "Deployment": ({"id": TEXT, "commit": NULLABLE, "status": TEXT}, ()),
    "Domain": (
        {"name": TEXT, "status": TEXT, "target": NULLABLE, "tls": FLAG, "retry_at": NULLABLE, "message": NULLABLE},
        ("name",),
    ),
    "Job": (
        {"name": TEXT, "schedule": TEXT, "timezone": TEXT, "command": TEXT, "suspended": FLAG},
        ("schedule", "timezone", "command"),
    ),
    "Database": (
        {"name": TEXT, "status": TEXT, "version": NULLABLE, "url": NULLABLE, "error_message": NULLABLE},
        ("name",),
    ),
    "Error": ({"error": {"type": "object", "properties": {"code": TEXT, "message": TEXT}}}, ("error",)),
}  # fmt: skip

TENANT = "/v1/tenants/{tenant}"
APP = f"{TENANT}/apps/{{app}}"
# method, path, operation, body, status, answer ("[]" after a name: a page of them)
OPERATIONS: tuple[tuple[str, str, str, str, int, str], ...] = (
    ("get", TENANT, "tenant", "", 200, "Tenant"),
    ("get", f"{TENANT}/git-providers", "git_providers", "", 200, "GitProvider[]"),
    ("get", f"{TENANT}/apps", "apps", "", 200, "App[]"),
    ("post", f"{TENANT}/apps", "create_app", "App", 201, "App"),
    ("get", APP, "app", "", 200, "App"),
    ("delete", APP, "delete_app", "", 204, ""),
    ("get", f"{APP}/variables", "variables", "", 200, "Variable[]"),
    ("patch", f"{APP}/variables", "set_variables", "Variables", 200, "Variable[]"),
    ("post", f"{APP}/deployments", "deploy", "Deployment", 201, "Deployment"),
    ("get", f"{APP}/deployments/{{deployment}}", "deployment", "", 200, "Deployment"),
    ("get", f"{APP}/domains", "domains", "", 200, "Domain[]"),
    ("post", f"{APP}/domains", "attach_domain", "Domain", 201, "Domain"),
    ("delete", f"{APP}/domains/{{domain}}", "detach_domain", "", 204, ""),
    ("get", f"{APP}/jobs", "jobs", "", 200, "Job[]"),
    ("put", f"{APP}/jobs/{{job}}", "put_job", "Job", 200, "Job"),
    ("delete", f"{APP}/jobs/{{job}}", "delete_job", "", 204, ""),
    ("get", f"{TENANT}/databases", "databases", "", 200, "Database[]"),
    ("post", f"{TENANT}/databases", "create_database", "Database", 201, "Database"),
    ("get", f"{TENANT}/databases/{{database}}", "database", "", 200, "Database"),
    ("delete", f"{TENANT}/databases/{{database}}", "delete_database", "", 204, ""),
)


def openapi_document(url: str) -> Schema:
    """The description, for a server at *url*."""
    paths: dict[str, Schema] = {}
    for method, path, operation, body, status, answer in OPERATIONS:
        paths.setdefault(path, {})[method] = _operation(path, operation, body, status, answer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kovra Cloud control API as kovra-checks assumes it", "version": "1"},
        "servers": [{"url": url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                name: {"type": "object", "properties": fields, "required": list(required)}
                for name, (fields, required) in SCHEMAS.items()
            },
        },
    }


def _operation(path: str, operation: str, body: str, status: int, answer: str) -> Schema:
    names = re.findall(r"\{(\w+)\}", path)
    described: Schema = {
        "operationId": operation,
        "parameters": [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names],
        "responses": {
            str(status): {"description": "done", **({"content": _content(_answer(answer))} if answer else {})},
            "default": {"description": "refused", "content": _content(_reference("Error"))},
        },
    }
    if body:
        described["requestBody"] = {"required": True, "content": _content(_reference(body))}
    return described


def _answer(answer: str) -> Schema:
    if not answer.endswith("[]"):
        return _reference(answer)
    items = {"type": "array", "items": _reference(answer.removesuffix("[]"))}
    return {"type": "object", "properties": {"items": items, "next": NULLABLE}, "required": ["items"]}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
