"""Questions to TLS servers: which certificate does each address of a target show for a name?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from kovra_checks.outcome import Question

__all__ = ["Certificate", "EveryHandshake", "Handshake", "Handshakes"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Facts of one certificate (RFC 5280).

    Attributes:
        subject: Distinguished name, RFC 4514 form.
        issuer: Distinguished name of the signer.
        names: Subject alternative names (DNS names and addresses), sorted.
        not_before: Start of validity (UTC).
        not_after: End of validity (UTC).
        key: Kind and size, e.g. `EC 256`, `RSA 2048`.
        signature_hash: E.g. `sha256`; None where the signature scheme has none.
        sha256: Fingerprint, hex.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    signature_hash: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """What one address did when it was asked for the name.

    Attributes:
        address: Address connected to.
        connected: Whether TCP was accepted or refused there. False: nothing could be seen from here.
        error: Why there is no certificate, or None.
        protocol: E.g. `TLSv1.3`; None if there was no handshake.
        cipher: Cipher suite; None if there was no handshake.
        chain: Certificates as sent, the leaf first; empty if there was no handshake.
        trusted: Whether the chain leads to a trusted root. Validity in time is the rule's to judge.
        distrust: Why not, or None.
        name_matches: Whether the leaf is for the name asked for (RFC 9525 section 6.3).
    """

    address: str
    connected: bool
    error: str | None
    protocol: str | None = None
    cipher: str | None = None
    chain: tuple[Certificate, ...] = ()
    trusted: bool = False
    distrust: str | None = None
    name_matches: bool = False


@dataclass(frozen=True, slots=True)
class Handshakes:
    """All addresses of the target.

    Attributes:
        handshakes: One per address, sorted by address. Empty: the target's name has no address.
    """

    handshakes: tuple[Handshake, ...]


@dataclass(frozen=True, slots=True)
class EveryHandshake(Question[Handshakes]):
    """Which certificate does every address of *target* show for *server_name*?

    Attributes:
        server_name: SNI, and the name the certificate must be for.
        target: Host name (looked up at the migration's resolvers, all their answers joined) or address; the
            server name itself if empty.
        port: TCP port.
    """

    server_name: str
    target: str = ""
    port: int = 443
    kind: ClassVar[str] = "tls-every-handshake"
    answer_type: ClassVar[type] = Handshakes
