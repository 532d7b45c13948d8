"""The lab's certificate authority: real certificates, real chains, for loopback only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Issuer", "LabCA"]

Issuer = Literal["trusted", "self-signed", "unknown"]
ROOT_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=90)
BACKDATED = timedelta(hours=1)  # clocks differ, and a certificate must be valid at once


class LabCA:
    """Issues certificates under one root that is kept in *directory* and made there when it is absent.

    Attributes:
        directory: Holds `root.pem` (what clients trust) and `root.key` (mode 0600).
        root_pem: The root certificate, PEM.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.root_file = directory / "root.pem"
        key_file = directory / "root.key"
        if not (self.root_file.exists() and key_file.exists()):
            key, root = _root("kovra-checks lab root")
            key_file.touch(mode=0o600)
            key_file.write_bytes(_key_pem(key))
            self.root_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self.root_pem = self.root_file.read_bytes()
        self._root = x509.load_pem_x509_certificate(self.root_pem)
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    def issue(
        self,
        names: Sequence[str],
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        issuer: Issuer = "trusted",
    ) -> tuple[bytes, bytes]:
        """A certificate for *names* (host names, wildcards, addresses) and its key: (chain PEM, key PEM).

        Args:
            names: Subject alternative names; the first is also the common name.
            not_before: Start of validity; an hour ago unless set.
            not_after: End of validity; 90 days after the start unless set.
            issuer: `trusted` by our root, `unknown` by a root nobody has, or `self-signed`.
        """
        start = not_before if not_before is not None else datetime.now(UTC) - BACKDATED
        end = not_after if not_after is not None else start + LEAF_LIFETIME
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        if issuer == "self-signed":
            signer, signed_by, chain = key, subject, b""
        elif issuer == "unknown":
            signer, root = _root("a root nobody trusts")
            signed_by, chain = root.subject, root.public_bytes(serialization.Encoding.PEM)
        else:
            signer, signed_by, chain = self._key, self._root.subject, self.root_pem
        leaf = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signed_by)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return leaf.public_bytes(serialization.Encoding.PEM) + chain, _key_pem(key)


def _root(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A new self-signed root (RFC 5280 section 4.2.1.9: a CA certificate says so)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(days=400)  # expired leaves must lie inside the root's life
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    root = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, root


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
