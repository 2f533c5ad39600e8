import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nexus.stack.authority import ALWAYS, LIFE, AuthorityError, Folder, renew

NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / ".nexus" / "tls")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_for_their_owner_alone(folder: Folder) -> None:
    made = renew(folder, ())
    assert made.new_authority
    assert made.names == ALWAYS
    assert (mode(folder.authority_key), mode(folder.key)) == (0o600, 0o600)
    assert (mode(folder.path), mode(folder.path.parent)) == (0o700, 0o700)
    assert (mode(folder.authority), mode(folder.certificate)) == (0o644, 0o644)
    assert sorted(path.name for path in folder.path.iterdir()) == ["ca-key.pem", "ca.pem", "cert.pem", "key.pem"]
    folder.authority_key.chmod(0o644)
    renew(folder, ())
    assert mode(folder.authority_key) == 0o600


def test_python_takes_it_with_the_strictest_flags(folder: Folder) -> None:
    """As Python 3.13 checks by default: identifiers of keys, critical usages."""
    renew(folder, ["Box.lan", "*.home.arpa", "192.168.1.5", "fd00::5"])
    client = ssl.create_default_context(cafile=str(folder.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder.certificate, folder.key)
    for name in ("localhost", "127.0.0.1", "::1", "box.lan", "x.home.arpa", "192.168.1.5", "fd00::5"):
        assert shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "other.lan")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    halves = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for half in halves:
            try:
                half.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return halves[0].getpeercert() is not None


def test_a_renewal_keeps_the_authority_and_the_names(folder: Folder) -> None:
    first = renew(folder, ["box.lan", "192.168.1.5"], NOW)
    authority, certificate, key = (path.read_bytes() for path in (folder.authority, folder.certificate, folder.key))
    later = renew(folder, (), NOW + timedelta(days=300))
    assert not later.new_authority
    assert later.names == first.names == (*ALWAYS, "box.lan", "192.168.1.5")
    assert later.until - first.until == timedelta(days=300)
    assert folder.authority.read_bytes() == authority
    assert certificate != folder.certificate.read_bytes()
    assert key != folder.key.read_bytes()
    assert renew(folder, ["new.lan"], NOW).names == (*ALWAYS, "new.lan")


def test_an_authority_whose_time_is_too_short_is_replaced(folder: Folder) -> None:
    renew(folder, (), NOW)
    assert not renew(folder, (), NOW + timedelta(days=3650) - LIFE - timedelta(days=1)).new_authority
    assert renew(folder, (), NOW + timedelta(days=3650) - LIFE).new_authority


@pytest.mark.parametrize(
    "name", ["", "a b", "a..b", "-a", "a_b", "http://box", "box:8800", "x" * 64, "a.*", "1.2.3.4/8", "ö"]
)
def test_what_is_no_name_is_refused_before_anything_is_made(folder: Folder, name: str) -> None:
    with pytest.raises(AuthorityError, match="is neither a host name nor an address"):
        renew(folder, [name])
    assert not folder.path.exists()


def test_what_is_not_whole_is_told_and_kept(folder: Folder, tmp_path: Path) -> None:
    renew(folder, ())
    other = Folder(tmp_path / "other")
    renew(other, ())
    key = folder.authority_key.read_bytes()
    folder.authority_key.write_bytes(other.authority_key.read_bytes())
    with pytest.raises(AuthorityError, match="is not the key of"):
        renew(folder, ())
    folder.authority_key.unlink()
    with pytest.raises(AuthorityError, match="is not whole"):
        renew(folder, ())
    folder.authority_key.write_bytes(key)
    folder.certificate.write_text("none")
    with pytest.raises(AuthorityError, match=r"cert\.pem is not a certificate of Nexus' making"):
        renew(folder, ())
    assert renew(folder, ["box.lan"]).names == (*ALWAYS, "box.lan")
