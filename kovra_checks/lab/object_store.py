"""A minimal object store (PUT, GET, HEAD by `/bucket/key`): where uploads live that must outlast a container."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from typing import Any

from kovra_checks.lab.exchange import Request, Response, problem

__all__ = ["ObjectStore"]


class ObjectStore:
    """Objects of one bucket in memory. Writing needs HTTP basic credentials; reading is public.

    Args:
        bucket: The bucket that exists.
        access_key: User of the basic credentials.
        secret_key: Password of the basic credentials.
    """

    def __init__(self, bucket: str, access_key: str, secret_key: str) -> None:
        self.bucket = bucket
        self._credentials = "Basic " + base64.b64encode(f"{access_key}:{secret_key}".encode()).decode()
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def save(self) -> dict[str, Any]:
        """All objects, base64."""
        with self._lock:
            return {key: base64.b64encode(body).decode() for key, body in sorted(self._objects.items())}

    def load(self, state: dict[str, Any]) -> None:
        """Objects as saved."""
        with self._lock:
            self._objects = {key: base64.b64decode(body) for key, body in state.items()}

    def handle(self, request: Request) -> Response:
        """Answer one object request; `GET /bucket` says whether the bucket exists."""
        bucket, _, key = request.path.removeprefix("/").partition("/")
        if bucket != self.bucket:
            return problem(404, "NoSuchBucket")
        if not key:
            return Response(200)
        if request.method == "PUT":
            return self._put(request, key)
        with self._lock:
            body = self._objects.get(key)
        return problem(404, "NoSuchKey") if body is None else Response(200, body, "application/octet-stream")

    def _put(self, request: Request, key: str) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", ""), self._credentials):
            return problem(403, "AccessDenied")
        with self._lock:
            self._objects[key] = request.body
        return Response(200, headers=(("ETag", f'"{hashlib.sha256(request.body).hexdigest()}"'),))
