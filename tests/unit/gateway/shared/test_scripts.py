"""The scripts' names, commands and keys; what they do is tested in tests/property/test_shared_window.py."""

import hashlib

from nexus.gateway.shared.resp import Replies
from nexus.gateway.shared.scripts import keys_of, load_scripts


def words_of(command: bytes) -> list[bytes]:
    """A command is written as a list in a reply is."""
    ((*words,),) = Replies().take(command)  # type: ignore[misc]
    return words


def test_each_has_the_clock_of_redis_and_the_name_that_redis_gives_it() -> None:
    scripts = load_scripts()
    for script in (scripts.admit, scripts.spend, scripts.settle, scripts.renew):
        assert script.text.startswith(b"-- now")
        assert b"redis.call('TIME')" in script.text
        assert script.sha.decode() == hashlib.sha1(script.text).hexdigest()


def test_the_keys_of_a_token_lie_together_whatever_its_name() -> None:
    keys = words_of(b"*3\r\n" + keys_of("a}{b"))
    tags = {key[key.index(b"{") + 1 : key.index(b"}")] for key in keys}
    assert tags == {hashlib.sha256(b"a}{b").hexdigest()[:32].encode()}
    assert [key.rpartition(b":")[2] for key in keys] == [b"requests", b"tokens", b"calls"]
    assert keys_of("ab") != keys_of("a")


def test_a_script_by_name_and_by_text() -> None:
    script = load_scripts().settle
    keys = words_of(b"*3\r\n" + keys_of("ada"))
    assert words_of(script.by_name(keys_of("ada"), b"lease", -5)) == [
        b"EVALSHA",
        script.sha,
        b"3",
        *keys,
        b"lease",
        b"-5",
    ]
    assert words_of(script.by_text(keys_of("ada"), 1)) == [b"EVAL", script.text, b"3", *keys, b"1"]
