"""Ed25519 signatures (RFC 8032) over the evidence manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from kovra_checks.errors import EvidenceError

__all__ = ["sign", "signer_of", "verify"]

RAW_BYTES = 32


def _private(key: bytes) -> Ed25519PrivateKey:
    if len(key) == RAW_BYTES:
        return Ed25519PrivateKey.from_private_bytes(key)
    try:
        loaded = load_pem_private_key(key, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        loaded = None
    if isinstance(loaded, Ed25519PrivateKey):
        return loaded
    raise EvidenceError(
        "load the key that signs the evidence",
        seen=f"{len(key)} bytes that are neither a 32-byte seed nor an unencrypted Ed25519 key in PEM",
        remedy="make one: openssl genpkey -algorithm ed25519 -out evidence.pem",
    )


def _public(key: bytes) -> Ed25519PublicKey:
    if len(key) == RAW_BYTES:
        return Ed25519PublicKey.from_public_bytes(key)
    try:
        loaded = load_pem_public_key(key)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        loaded = None
    if isinstance(loaded, Ed25519PublicKey):
        return loaded
    raise EvidenceError(
        "load the key that verifies the evidence",
        seen=f"{len(key)} bytes that are neither 32 raw bytes nor an Ed25519 public key in PEM",
        remedy="derive it: openssl pkey -in evidence.pem -pubout -out evidence.pub",
    )


def _fingerprint(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def signer_of(key: bytes) -> str:
    """Fingerprint of the private *key*'s public half: SHA-256, first 16 hex digits. Raises EvidenceError."""
    return _fingerprint(_private(key).public_key())


def sign(key: bytes, data: bytes) -> bytes:
    """The signature as a line of hex digits. Raises EvidenceError when the key cannot be used."""
    return (_private(key).sign(data).hex() + "\n").encode()


def verify(public_key: bytes, data: bytes, signature: bytes, *, where: Path) -> None:
    """Raise EvidenceError unless *signature* is *public_key*'s over *data*, which was read from *where*."""
    public = _public(public_key)
    try:
        public.verify(bytes.fromhex(signature.decode("ascii").strip()), data)
    except (InvalidSignature, ValueError):
        raise EvidenceError(
            f"verify the signature of {where}",
            seen=f"it was not made by the key {_fingerprint(public)}, or the manifest was changed after signing",
            remedy="check that the public key is the signer's; if it is, the evidence was tampered with",
        ) from None
