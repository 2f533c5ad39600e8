"""What values of variables are, read from their text."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.dns import DnsName
from nexus.gateway.setting_types import Addresses, CidrList, DnsNames, Issuer, Secret, Worker, WorkerName, is_loopback
from nexus.policies.networks import parse_network


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Addresses, "http://One:1/ , http://:k@two:2,", (Address("http://one:1"), Address("http://two:2", "Bearer k"))),
        (DnsNames, "tts:8000", (DnsName("tts", 8000),)),
        (CidrList, "10.0.0.0/8", (parse_network("10.0.0.0/8"),)),
        (Issuer, "http://127.0.0.1:8080/realm/", "http://127.0.0.1:8080/realm/"),
        (WorkerName, "ab12.2.4", Worker("ab12", 2, 4)),
    ],
)  # fmt: skip
def test_what_is_read(kind: Any, text: str, value: object) -> None:
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Addresses, "one:1"), (DnsNames, "tts"), (DnsNames, "tts:0"), (DnsNames, "a b:1"), (CidrList, "10.0.0.1/8"),
        (Issuer, "http://login.test"), (Issuer, "https://me:secret@login.test"), (Secret, "two words"), (Secret, "é"),
        (WorkerName, "ab12.2"),
    ],
)  # fmt: skip
def test_what_it_cannot_be(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def test_what_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.test", "")))
