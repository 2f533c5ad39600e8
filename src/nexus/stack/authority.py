"""A certificate authority of this machine's own, and certificates by it: the one place that uses `cryptography`.

For development and for a home network: who trusts the authority trusts whatever its key signs, so the key stays in the
state folder, for its owner alone. Keys are ECDSA on P-256, which every client of the last ten years takes.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
AUTHORITY_LIFE: Final = timedelta(days=3650)
LIFE: Final = timedelta(days=397)  # as long as browsers take one of any authority for valid
_BACKDATED: Final = timedelta(hours=1)  # a client's clock may be slow
_PEM: Final = serialization.Encoding.PEM


class AuthorityError(ValueError):
    """What lies in the folder cannot be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Made:
    """What `renew` has made: the names of the certificate, until when it is valid, and whether the authority is new."""

    names: tuple[str, ...]
    until: datetime
    new_authority: bool


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the authority and the one certificate lie, and the keys, which only their owner can read."""

    path: Path

    @property
    def authority(self) -> Path:
        return self.path / "ca.pem"

    @property
    def authority_key(self) -> Path:
        return self.path / "ca-key.pem"

    @property
    def certificate(self) -> Path:
        return self.path / "cert.pem"

    @property
    def key(self) -> Path:
        return self.path / "key.pem"


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def renew(folder: Folder, names: Sequence[str], now: datetime | None = None) -> Made:
    """Make a certificate with a key of its own for `names` and this machine; the authority too, where it is missing.

    Without names it is for those of the certificate that is there. An authority that would end before the certificate
    is replaced. Raises AuthorityError and OSError.
    """
    now = now or datetime.now(UTC)
    wanted = _names(names or _names_in(folder.certificate))
    for place in (folder.path.parent, folder.path):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _load(folder, now)
    new = authority is None
    if authority is None:
        authority = _new_authority(now)
        _write(folder.authority_key, _key_bytes(authority.key), 0o600)
        _write(folder.authority, authority.certificate.public_bytes(_PEM), 0o644)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(authority, key, wanted, now)
    _write(folder.key, _key_bytes(key), 0o600)
    _write(folder.certificate, certificate.public_bytes(_PEM), 0o644)
    return Made(wanted, certificate.not_valid_after_utc, new)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Those of this machine and the given ones, each once. Raises AuthorityError."""
    names = dict.fromkeys((*ALWAYS, *(name.strip().lower() for name in given)))
    for name in names:
        _general_name(name)
    return tuple(names)


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    if address is not None:
        return x509.IPAddress(address)
    labels = name.removeprefix("*.").split(".")
    if len(name) > 253 or not all(
        label.isascii() and label.replace("-", "").isalnum() and label.strip("-") == label and len(label) < 64
        for label in labels
    ):
        raise AuthorityError(f"{name!r} is neither a host name nor an address")
    return x509.DNSName(name)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _names_in(path: Path) -> tuple[str, ...]:
    """The names of a certificate; none where there is none."""
    if not path.exists():
        return ()
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise AuthorityError(f"{path} is not a certificate of Nexus' making; take it away to have one made") from error
    return tuple(str(one.value) for one in names)


def _load(folder: Folder, now: datetime) -> _Authority | None:
    """The authority, None where there is none or its time is too short. Raises AuthorityError, OSError."""
    if not folder.authority.exists() and not folder.authority_key.exists():
        return None
    try:
        certificate = x509.load_pem_x509_certificate(folder.authority.read_bytes())
        key = serialization.load_pem_private_key(folder.authority_key.read_bytes(), None)
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise AuthorityError(f"the authority in {folder.path} is not whole; take both files of it away") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise AuthorityError(f"{folder.authority_key} is not the key of {folder.authority}; take both away")
    folder.authority_key.chmod(0o600)
    return _Authority(certificate, key) if certificate.not_valid_after_utc >= now + LIFE else None


def _new_authority(now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Nexus local authority {secrets.token_hex(4)}")])
    certificate = (
        _draft(name, name, public, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(certificate, key)


def _certificate(
    authority: _Authority, key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> x509.Certificate:
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nexus gateway")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        _draft(subject, authority.certificate.subject, public, now, LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def _draft(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put a whole file in place; nobody sees half of it, and nobody else a secret in between."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
