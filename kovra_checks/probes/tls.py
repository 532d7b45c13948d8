"""TLS by address: facts and trust are seen apart, so that a bad certificate is still described."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.tls import Certificate, EveryHandshake, Handshake, Handshakes
from kovra_checks.outcome import Question
from kovra_checks.probes.net import addresses_of, connect, literal_address

__all__ = ["ANSWERERS", "every_handshake", "handshake", "name_fits"]

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (OpenSSL X509_VERIFY_PARAM_set_flags); ssl has no name for it


def every_handshake(question: EveryHandshake, access: Access) -> Handshakes:
    """A handshake with every address at once. Raises CouldNotLook if none of them could be reached."""
    target = question.target or question.server_name
    addresses = addresses_of(target, access)
    if not addresses:
        return Handshakes(())
    with ThreadPoolExecutor(min(len(addresses), 16)) as pool:
        seen = tuple(
            pool.map(lambda address: handshake(address, question.server_name, question.port, access), addresses)
        )
    if not any(each.connected for each in seen):
        raise CouldNotLook(
            f"TLS handshake for {question.server_name} with {target} port {question.port}",
            seen="; ".join(f"{each.address}: {each.error}" for each in seen),
            remedy="see whether the port is open and reachable from where this runs",
        )
    return Handshakes(seen)


def handshake(address: str, server_name: str, port: int, access: Access) -> Handshake:
    """One address. Trust is verified in a handshake of its own; if it fails, a second one takes what is shown."""
    verifying = access.trust()
    verifying.check_hostname = False
    verifying.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    try:
        return _shake(verifying, address, server_name, port, access.timeout, None)
    except ssl.SSLCertVerificationError as error:
        distrust = error.verify_message
    except OSError as error:
        return _failed(address, error)
    taking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    taking.check_hostname = False
    taking.verify_mode = ssl.CERT_NONE
    try:
        return _shake(taking, address, server_name, port, access.timeout, distrust)
    except OSError as error:
        return _failed(address, error)


def _shake(
    context: ssl.SSLContext, address: str, server_name: str, port: int, timeout: float, distrust: str | None
) -> Handshake:
    with connect(address, port, timeout) as raw:
        try:
            secure = context.wrap_socket(raw, server_hostname=literal_address(server_name) or server_name)
        except TimeoutError:
            raise ConnectionAbortedError(f"connected, but no handshake within {timeout:g} s") from None
        with secure:
            chain = tuple(x509.load_der_x509_certificate(der) for der in _sent_chain(secure))
            cipher = secure.cipher()
            return Handshake(
                address=address,
                connected=True,
                error=None if chain else "no certificate was sent",
                protocol=secure.version(),
                cipher=None if cipher is None else cipher[0],
                chain=tuple(_facts(certificate) for certificate in chain),
                trusted=distrust is None,
                distrust=distrust,
                name_matches=bool(chain) and name_fits(server_name, _names(chain[0])),
            )


def _failed(address: str, error: OSError) -> Handshake:
    """A refusal or a broken handshake was seen; without a connection nothing was."""
    seen = isinstance(error, ssl.SSLError | ConnectionError)
    said = error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror or str(error)
    return Handshake(address, connected=seen, error=said.replace("_", " ").lower() or type(error).__name__)


def _sent_chain(secure: ssl.SSLSocket) -> list[bytes]:
    """The certificates as the server sent them, DER. Public from Python 3.13 on, there under another name before."""
    public: Callable[[], list[bytes]] | None = getattr(secure, "get_unverified_chain", None)
    if public is not None:
        return public()
    inner: Any = getattr(secure, "_sslobj")  # noqa: B009 - a private name of the standard library, until 3.12 ends
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()]


def _facts(certificate: x509.Certificate) -> Certificate:
    hashed = certificate.signature_hash_algorithm
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=_key(certificate),
        signature_hash=None if hashed is None else hashed.name,
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
    )


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    for kind, name in ((rsa.RSAPublicKey, "RSA"), (ec.EllipticCurvePublicKey, "EC"), (dsa.DSAPublicKey, "DSA")):
        if isinstance(key, kind):
            return f"{name} {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return tuple(sorted(name.lower() for name in found))


def name_fits(name: str, names: tuple[str, ...]) -> bool:
    """Whether a certificate for *names* is good for *name*: a wildcard stands for exactly one label (RFC 9525 6.3)."""
    literal = literal_address(name)
    if literal is not None:
        return str(ipaddress.ip_address(literal)) in names
    name = name.rstrip(".").lower()
    first, _, parent = name.partition(".")
    return name in names or bool(first and parent and f"*.{parent}" in names)


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {EveryHandshake: every_handshake}
