"""The first word of what Redis says no with."""

from nexus.gateway.shared.errors import RedisError


def test_the_code() -> None:
    assert RedisError("OOM command not allowed").code == "OOM"
    assert RedisError("").code == ""
