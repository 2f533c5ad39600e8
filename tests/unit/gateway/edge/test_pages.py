import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.pages import Names

NAMES = Names(["AI.example.org", "127.0.0.1"])
OWN = [b"localhost", b"LOCALHOST:8800", b"127.0.0.1:8800", b"127.9.9.9", b"[::1]:8800", b"[::1]", b"ai.example.org:443",
       b"[::ffff:127.0.0.1]:1"]  # fmt: skip
FOREIGN = [b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example:8800", b"192.168.0.2:8800",
           b"0.0.0.0:8800", b"", b":8800", b"x@localhost", b"localhost@evil.example", b"localhost/",
           b"evil.example#localhost", b"::1",
           b"localhost:x", b"localhost:99999", b"[::1", b"localhost.", b"local host", "löcalhost".encode()]  # fmt: skip


def refused(**fields: bytes) -> bool:
    try:
        NAMES.check({name.replace("_", "-").encode(): value for name, value in fields.items()})
    except ApiError as error:
        return error.status == 403
    return False


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_machine_are_let_in(host: bytes) -> None:
    assert NAMES.is_own_host(host)
    assert not refused(host=host)
    assert not refused(host=b"localhost", origin=b"http://" + host.lower())
    assert not refused(host=b"localhost", origin=b"https://" + host.lower())


@pytest.mark.parametrize("host", FOREIGN)
def test_names_of_others_are_not(host: bytes) -> None:
    assert not NAMES.is_own_host(host)
    assert refused(host=host)
    assert refused(host=b"localhost", origin=b"http://" + host)


@pytest.mark.parametrize(
    "origin", [b"null", b"", b"file://", b"localhost", b"ftp://localhost", b"chrome-extension://localhost"]
)
def test_an_origin_that_is_no_page_of_this_machine_is_refused(origin: bytes) -> None:
    assert refused(host=b"localhost", origin=origin)


def test_programs_send_neither_and_are_let_in() -> None:
    assert not refused(host=b"localhost:8800")
    assert not refused()


def test_a_link_may_lead_here_and_a_page_of_another_site_may_not_ask() -> None:
    assert refused(host=b"localhost", sec_fetch_site=b"cross-site", sec_fetch_mode=b"no-cors")
    assert refused(host=b"localhost", sec_fetch_site=b"cross-site")
    assert not refused(host=b"localhost", sec_fetch_site=b"cross-site", sec_fetch_mode=b"navigate")
    assert not refused(host=b"localhost", sec_fetch_site=b"same-origin", sec_fetch_mode=b"cors")
    sent_form = {"sec_fetch_site": b"cross-site", "sec_fetch_mode": b"navigate", "origin": b"http://evil.example"}
    assert refused(host=b"localhost", **sent_form)
