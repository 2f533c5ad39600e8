"""Certificates: handshakes in memory, with pairs that are renewed, wrong, encrypted or half written."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.gateway.edge.certificates import CertificateError, CertificateFiles, load_context
from nexus.stack.authority import Folder, renew


class Events(list[tuple[str, str]]):
    def __call__(self, level: str, event: str, **fields: object) -> None:
        self.append((event, str(fields.get("reason", ""))))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "tls")
    renew(folder, ())
    return folder


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def files(folder: Folder, events: Events) -> CertificateFiles:
    return CertificateFiles(folder.certificate, folder.key, events)


@pytest.fixture
def shown(folder: Folder, files: CertificateFiles) -> Callable[..., ssl.SSLObject]:
    """Connect a client; its half of the connection afterwards."""
    trusting = ssl.create_default_context(cafile=str(folder.authority))

    def connect(client: ssl.SSLContext = trusting, name: str | None = "localhost") -> ssl.SSLObject:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = client.wrap_bio(to_client, to_server, server_hostname=name)
        theirs = files.context.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for half in (ours, theirs):
                try:
                    half.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        return ours

    return connect


def on_disk(folder: Folder) -> bytes:
    return ssl.PEM_cert_to_DER_cert(folder.certificate.read_text())


def test_only_authenticated_ciphers_with_forward_secrecy_and_tls_from_1_2(
    folder: Folder, shown: Callable[..., ssl.SSLObject]
) -> None:
    context = load_context(folder.certificate, folder.key)
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert {"TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"} <= names
    assert all(
        name.startswith(("TLS_", "ECDHE-")) and name.endswith(("SHA256", "SHA384", "POLY1305")) for name in names
    )
    assert not [name for name in names if "CBC" in name or name.endswith(("AES128-SHA256", "AES256-SHA384"))]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client = ssl.create_default_context(cafile=str(folder.authority))
        client.minimum_version = client.maximum_version = version
        assert shown(client).version() == version.name.replace("v1_", "v1.")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(folder: Folder, shown: Callable[..., ssl.SSLObject]) -> None:
    client = ssl.create_default_context(cafile=str(folder.authority))
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)unsupported.protocol|no.protocols"):
        shown(client)


@pytest.mark.parametrize("named", [True, False], ids=["server named", "no server named"])
def test_a_renewed_pair_is_shown_after_it_has_settled(
    folder: Folder, files: CertificateFiles, shown: Callable[..., ssl.SSLObject], events: Events, named: bool
) -> None:
    client = ssl.create_default_context(cafile=str(folder.authority))
    client.check_hostname = named
    before = on_disk(folder)
    renew(folder, ("other.test",))
    for looks, expected in ((1, before), (1, on_disk(folder))):
        for _ in range(looks):
            files.check()
        connection = shown(client, "localhost" if named else None)
        assert connection.getpeercert(binary_form=True) == expected
    assert on_disk(folder) != before
    files.check()
    assert events == [("certificate_read", "")]


def test_a_connection_of_before_lives_on(
    folder: Folder, files: CertificateFiles, shown: Callable[..., ssl.SSLObject]
) -> None:
    before = on_disk(folder)
    connection = shown()
    renew(folder, ())
    files.check()
    files.check()
    connection.write(b"still there")
    assert connection.getpeercert(binary_form=True) == before
    assert shown().getpeercert(binary_form=True) == on_disk(folder)


def wrong_key(folder: Folder) -> None:
    other = Folder(folder.path / "other")
    renew(other, ())
    other.key.replace(folder.key)


def half(folder: Folder) -> None:
    renew(folder, ())
    text = folder.certificate.read_text()
    folder.certificate.write_text(text[: len(text) // 2])


def encrypted(folder: Folder) -> None:
    command = [
        "openssl",
        "ec",
        "-aes256",
        "-passout",
        "pass:hidden-word",
        "-in",
        str(folder.key),
        "-out",
        str(folder.key),
    ]
    subprocess.run(command, check=True, capture_output=True)


def nothing(folder: Folder) -> None:
    folder.key.write_text("")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (wrong_key, "the key is not that of the certificate"),
        (half, "they are not whole PEM files"),
        (nothing, "they are not whole PEM files"),
        (encrypted, "the key is encrypted"),
    ],
)
def test_a_wrong_pair_is_told_once_and_the_one_before_stays(
    folder: Folder,
    files: CertificateFiles,
    shown: Callable[..., ssl.SSLObject],
    events: Events,
    spoil: Callable[[Folder], None],
    reason: str,
) -> None:
    before = on_disk(folder)
    spoil(folder)
    for _ in range(4):
        files.check()
    (told,) = events
    assert told[0] == "certificate_refused"
    assert reason in told[1]
    assert "hidden-word" not in told[1]
    assert shown().getpeercert(binary_form=True) == before
    with pytest.raises(CertificateError, match=reason):
        load_context(folder.certificate, folder.key)
    renew(folder, ("localhost",))
    files.check()
    files.check()
    assert shown().getpeercert(binary_form=True) == on_disk(folder)


def test_a_pair_that_is_written_one_file_after_the_other_is_not_tried_in_between(
    folder: Folder, files: CertificateFiles, events: Events
) -> None:
    other = Folder(folder.path / "other")
    renew(other, ())
    other.key.replace(folder.key)
    files.check()
    other.certificate.replace(folder.certificate)
    files.check()
    files.check()
    assert events == [("certificate_read", "")]


def test_a_file_that_is_gone_changes_nothing(folder: Folder, files: CertificateFiles, events: Events) -> None:
    key = folder.key.read_bytes()
    folder.key.unlink()
    for _ in range(3):
        files.check()
    folder.key.write_bytes(key)
    for _ in range(3):
        files.check()
    assert [event for event, _ in events] == ["certificate_read"]


def test_links_that_are_turned_are_followed(tmp_path: Path, events: Events) -> None:
    """As a cluster replaces the files of a Secret: the folder behind a link is another one at once."""
    folders = [Folder(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        renew(folder, ())
    link = tmp_path / "data"
    link.symlink_to("one")
    files = CertificateFiles(link / "cert.pem", link / "key.pem", events)
    (tmp_path / "turned").symlink_to("two")
    (tmp_path / "turned").replace(link)
    files.check()
    files.check()
    assert events == [("certificate_read", "")]


def test_a_file_that_cannot_be_read_is_told(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"absent\.pem and its key .* cannot be used: No such file or directory"):
        load_context(tmp_path / "absent.pem", folder.key)
