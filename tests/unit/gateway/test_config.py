import asyncio
import os
from ipaddress import IPv4Network, IPv6Network
from math import inf
from pathlib import Path

import pytest

from nexus.gateway.config import SLOW, Config, ConfigFile, parse_config
from nexus.gateway.shapes.document import ConfigError
from nexus.gateway.values import Retries, Rules, Timeouts
from nexus.jobs.rules import JobRules

GOOD = """
aliases: {gpt-4o-mini: qwen2.5-0.5b, small: gpt-4o-mini}
timeouts:
  connect: 1
  total: 120.5
  operations: {audio.speech: {first_byte: 5}}
  models: {big: {first_byte: 300, total: 3000}}
"""


class Events(list[tuple[str, str, dict[str, object]]]):
    def __call__(self, level: str, event: str, **fields: object) -> None:
        self.append((level, event, fields))

    def names(self) -> list[str]:
        return [event for _, event, _ in self]


def test_aliases_are_followed_to_their_end() -> None:
    assert parse_config(GOOD).aliases == {"gpt-4o-mini": "qwen2.5-0.5b", "small": "qwen2.5-0.5b"}


def test_timeouts_of_a_model_come_before_those_of_an_operation() -> None:
    config = parse_config(GOOD)
    assert config.timeouts_for("chat.completions", None) == Timeouts(1, 60, 30, 120.5)
    assert config.timeouts_for("audio.speech", "tts-1") == Timeouts(1, 5, 30, 120.5)
    assert config.timeouts_for("audio.speech", "big") == Timeouts(1, 300, 30, 3000)


@pytest.mark.parametrize("text", ["", "# nothing\n", "aliases: {}\n", "{}"])
def test_an_empty_file_gives_the_defaults(text: str) -> None:
    config = parse_config(text)
    assert config == Config()
    assert config.timeouts == Timeouts(connect=2, first_byte=60, idle=30, total=600)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timeouts: {connect: fast}", "timeouts.connect: it should be a valid number, not 'fast'"),
        ("timeouts: {connect: true}", "timeouts.connect: it should be a valid number, not True"),
        ("timeouts: {connect: null}", "timeouts.connect: it should be a valid number, not None"),
        ("timeouts: {connect: '2'}", "timeouts.connect: it should be a valid number, not '2'"),
        ("timeouts: {first_byte: 0}", "timeouts.first_byte: it should be greater than 0, not 0"),
        ("timeouts: {idle: -1}", "timeouts.idle: it should be greater than 0, not -1"),
        ("timeouts: {total: .inf}", "timeouts.total: "),
        ("timeouts: {total: 90000}", "timeouts.total: "),
        ("timeouts: 5", "timeouts: "),
        ("timeouts:", "timeouts: "),
        ("timeouts: {conect: 5}", "timeouts.conect: there is no such key; did you mean connect?"),
        (
            "timeouts: {operations: {ocr: {idel: 5}}}",
            "timeouts.operations.ocr.idel: there is no such key; did you mean",
        ),
        ("timeouts: {operations: {ocr: 5}}", "timeouts.operations.ocr: "),
        ("timeouts: {operations: []}", "timeouts.operations: "),
        ("timeouts: {models: {5: {idle: 1}}}", "timeouts.models.5: "),
        ("timeouts: {models: {m: {total: x}}}", "timeouts.models.m.total: "),
        ("aliases: [a, b]", "aliases: "),
        ("aliases: {a: 5}", "aliases.a: it should be a valid string, not 5"),
        ("aliases: {4: a}", "aliases.4: it should be a valid string, not 4"),
        ("aliases: {on: a}", "aliases.1: it should be a valid string, not True"),
        ("aliases: {a: 'b c'}", "aliases.a: "),
        ("aliases: {a: ''}", "aliases.a: "),
        ("aliases: {a: a}", "aliases.a: it leads in a circle: a → a"),
        ("aliases: {x: a, a: b, b: a}", "aliases.x: it leads in a circle: x → a → b → a"),
        ("aliases: {a: b, a: c}", "a: it is given twice (line 1)"),
        ("alises: {a: b}", "alises: there is no such key; did you mean aliases?"),
        ("ip_allowlist: []", "ip_allowlist: it should be a valid dictionary, not []"),
        ("ip_allowlist:", "ip_allowlist: "),
        ("ip_allowlist: {/metrics: 10.0.0.0/8}", "ip_allowlist./metrics: it should be a valid list, not '10.0.0.0/8'"),
        ("ip_allowlist: {/metrics: [10]}", "ip_allowlist./metrics.0: it should be a network such as 10.0.0.0/8"),
        ("ip_allowlist: {/metrics: [10.0.0.0/8, x]}", "ip_allowlist./metrics.1: 'x' is neither an address nor"),
        ("ip_allowlist: {/metrics: [10.1.0.0/8]}", "ip_allowlist./metrics.0: 10.1.0.0/8 has bits behind its prefix"),
        ("ip_allowlist: {metrics: []}", "ip_allowlist.metrics: 'metrics' is not the beginning of a path"),
        ("ip_allowlist: {/v1/admin/: []}", "ip_allowlist./v1/admin/: it covers what is below it as well"),
        ("ip_allowlist: {5: []}", "ip_allowlist.5: "),
        ("ip_allowlst: {}", "ip_allowlst: there is no such key; did you mean ip_allowlist?"),
        (
            "zzz: 1",
            "zzz: there is no such key among aliases, fallbacks, retries, hedging, timeouts, queue, jobs, policies, "
            "tokens, routes",
        ),
        ("5: 1", "5: "),
        ("- a", "it should be a mapping"),
        ("just words", "it should be a mapping"),
        ("a: [1, 2", "it is not YAML: line 1: "),
        ("a: !!python/object:os.system {}", "it is not YAML: "),
        ("\x00", "it is not YAML: "),
        ("timeouts: {idle: 2026-99-99}", "it is not YAML: month must be in 1..12"),
        ("timeouts: {idle: !!timestamp soon}", "it is not YAML: "),
        ("timeouts: {idle: !!bool soon}", "it is not YAML: "),
        ("timeouts: {idle: !!int ''}", "it is not YAML: "),
        ("[" * 5000, "it is not YAML: "),
        ("jobs: 5", "jobs: "),
        ("jobs:", "jobs: "),
        ("jobs: []", "jobs: "),
        *[
            (f"jobs: {{{key}: {value}}}", f"jobs.{key}: ")
            for key in ("timeout", "keep", "max_wait", "max_attempts", "max_queued")
            for value in ("x", "'5'", "true", "null", "0", "-1", ".inf", ".nan", "[1]", "{a: 1}", "1e9")
        ],
        ("jobs: {max_attempts: 1.5}", "jobs.max_attempts: "),
        ("jobs: {max_queued: 2.5}", "jobs.max_queued: "),
        ("jobs: {timout: 5}", "jobs.timout: there is no such key; did you mean timeout?"),
        ("routes: {}", "routes: "),
        ("routes: [{when: {model: a}}]", "routes.0: it should have one of deny, use, split; it has none"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_missing_file_is_an_empty_one(tmp_path: Path) -> None:
    assert ConfigFile(tmp_path / "nexus.yaml", Events()).load() == Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"timeouts: {connect: x}", "nexus.yaml: timeouts.connect: "), (b"\xff\xfe\x00", "nexus.yaml: it is not UTF-8")],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "nexus.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{message}"):
        ConfigFile(path, Events()).load()


def test_a_bad_edit_is_told_once_and_the_old_one_stays(tmp_path: Path) -> None:
    path, events = tmp_path / "nexus.yaml", Events()
    path.write_text("aliases: {a: b}")
    file = ConfigFile(path, events)
    before = file.load()
    path.write_text("aliases: {a: b, c: 5}")
    assert file.check() is None
    assert file.check() is None
    assert events.names() == ["config_refused"]
    assert events[0][2]["reason"] == "nexus.yaml: aliases.c: it should be a valid string, not 5 (line 1)"
    assert file.config is before
    path.write_text("aliases: {a: b, c: dd}")
    assert file.check() == Config(aliases={"a": "b", "c": "dd"})
    assert file.check() is None


def test_a_removed_file_is_told_once_and_the_old_one_stays(tmp_path: Path) -> None:
    path, events = tmp_path / "nexus.yaml", Events()
    path.write_text("aliases: {a: b}")
    file = ConfigFile(path, events)
    before = file.load()
    path.unlink()
    assert file.check() is None
    assert file.check() is None
    assert events.names() == ["config_removed"]
    assert file.config is before


def test_a_file_that_appears_later_is_read(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "nexus.yaml", Events())
    file.load()
    file.path.write_text("aliases: {a: b}")
    assert file.check() == Config(aliases={"a": "b"})


def test_a_file_put_in_its_place_is_seen_by_its_inode(tmp_path: Path) -> None:
    path = tmp_path / "nexus.yaml"
    path.write_text("aliases: {a: b}")
    file = ConfigFile(path, Events())
    file.load()
    status = path.stat()
    other = tmp_path / "other"
    other.write_text("aliases: {a: c}")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert file.check() == Config(aliases={"a": "c"})


async def test_edits_are_handed_over_while_it_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "nexus.yaml"
    file = ConfigFile(path, Events())
    file.load()
    seen: asyncio.Queue[Config] = asyncio.Queue()
    watching = asyncio.create_task(file.watch(0.01, seen.put_nowait))
    path.write_text("aliases: {a: b}")
    async with asyncio.timeout(10):
        assert (await seen.get()).aliases == {"a": "b"}
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def test_streams_are_recovered_unless_the_file_says_otherwise() -> None:
    assert parse_config("").rules.resumes
    assert parse_config("stream_recovery: resume").rules.resumes
    assert not parse_config("stream_recovery: error").rules.resumes
    for bad in ("true", "retry", "[resume]"):
        with pytest.raises(ConfigError, match=r"^stream_recovery: "):
            parse_config(f"stream_recovery: {bad}")


def test_retries_and_fallbacks_are_rules() -> None:
    text = """
aliases: {small: qwen-s, tiny: small}
fallbacks: {big: [tiny, other, qwen-s], qwen-s: [big]}
retries: {max_attempts: 5, budget_ratio: 0.1}
"""
    rules = parse_config(text).rules
    assert rules.retries == Retries(5, 0.1)
    assert rules.fallbacks == {"big": ("qwen-s", "other"), "qwen-s": ("big",), "small": ("big",), "tiny": ("big",)}
    assert parse_config("aliases: {}").rules == Config().rules == Rules()


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("retries: {max_attempts: 0}", "retries.max_attempts: it should be greater than or equal to 1, not 0 (line 1)"),
        ("retries: {budget_ratio: 1.5}", "retries.budget_ratio: it should be less than or equal to 1"),
        ("retries: {max_attempt: 2}", "retries.max_attempt: there is no such key; did you mean max_attempts?"),
        ("fallbacks: {a: b}", "fallbacks.a: it should be a valid list"),
        ("aliases: {x: a}\nfallbacks:\n  a: [b, x]", "fallbacks.a.1: x is the same model as a"),
    ],
)
def test_a_wrong_rule_is_told_by_its_key(text: str, start: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value).startswith(start), str(caught.value)
    assert f"(line {text.count(chr(10)) + 1})" in str(caught.value)


def test_jobs_have_bounds_of_their_own() -> None:
    config = parse_config("jobs: {timeout: 5, keep: 6.5, max_wait: 7, max_attempts: 8, max_queued: 9}")
    assert config.jobs == JobRules(timeout=5, keep=6.5, max_wait=7, max_attempts=8, max_queued=9)
    assert parse_config("jobs: {keep: 60}").jobs == JobRules(keep=60)
    assert parse_config("jobs: {}").jobs == Config().jobs == JobRules()


def test_a_jobs_run_may_take_as_long_as_jobs_may_and_connects_as_fast_as_ever() -> None:
    config = parse_config("jobs: {timeout: 900}\ntimeouts: {connect: 1, idle: 5, models: {m: {total: 7, idle: 4000}}}")
    assert config.job_timeouts_for("ocr", None) == Timeouts(1, 900, 900, 900)
    assert config.job_timeouts_for("ocr", "m") == Timeouts(1, 900, 4000, 900)


def test_slow_work_has_longer_for_its_first_byte_unless_the_file_says_otherwise() -> None:
    assert SLOW
    for name in SLOW:
        assert Config().timeouts_for(name, None) == Timeouts(first_byte=600)
    assert Config().timeouts_for("chat.completions", None).first_byte == 60
    assert parse_config("timeouts: {connect: 1}").timeouts_for("ocr", None) == Timeouts(connect=1, first_byte=600)
    assert parse_config("timeouts: {first_byte: 90}").timeouts_for("ocr", None).first_byte == 90


@pytest.mark.parametrize("text", ["", "timeouts: {first_byte: 1, idle: 2, total: 3}"])
def test_what_is_done_about_models_takes_as_long_as_they_are_large(text: str) -> None:
    config = parse_config(text)
    assert config.timeouts_for("models.pull", None) == Timeouts(first_byte=600, idle=600, total=inf)
    assert config.timeouts_for("models.load", None).first_byte == 600
    assert config.timeouts_for("models.delete", None) == config.timeouts
    bounded = parse_config("timeouts: {operations: {models.pull: {total: 60}}}")
    assert bounded.timeouts_for("models.pull", None) == Timeouts(first_byte=600, idle=600, total=60)


@pytest.mark.parametrize(
    ("text", "first_byte"),
    [
        ("timeouts: {operations: {ocr: {idle: 5}}}", 600),
        ("timeouts: {operations: {ocr: {idle: 5, first_byte: 7}}}", 7),
        ("timeouts: {first_byte: 90, operations: {ocr: {idle: 5}}}", 90),
    ],
)
def test_another_time_of_a_slow_operation_leaves_that_as_it_is(text: str, first_byte: float) -> None:
    config = parse_config(text)
    assert config.timeouts_for("ocr", None) == Timeouts(idle=5, first_byte=first_byte)
    assert config.timeouts_for("chat.completions", None).idle == 30
    assert parse_config("timeouts: {operations: {chat.completions: {idle: 5}}}").timeouts_for(
        "chat.completions", None
    ) == Timeouts(idle=5)


def test_the_allowlist_is_read_by_prefix_and_one_address_is_a_network_too() -> None:
    config = parse_config('ip_allowlist: {/metrics: ["10.0.0.0/8", "::1"], /v1/admin: []}')
    assert config.ip_allowlist == {"/metrics": (IPv4Network("10.0.0.0/8"), IPv6Network("::1/128")), "/v1/admin": ()}
