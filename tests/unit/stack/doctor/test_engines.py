"""Engines as the manifests name them: reachable, stopped, on another address, or something else in their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.stack.doctor.engines import addresses, engines
from nexus.stack.doctor.values import Host, Wanted
from tests.servers.gateway import Gateway, free_port
from tests.servers.scripted import ScriptedUpstream


def test_an_engine_that_answers(wanted, host) -> None:
    with ScriptedUpstream() as upstream:
        (found,) = engines(host(wanted(url=upstream.url)))
    assert (found.level, found.what) == ("ok", f"the engine of painter at {upstream.url} answers")


def test_an_engine_that_was_stopped(wanted, host) -> None:
    with ScriptedUpstream() as upstream:
        url = upstream.url
    (found,) = engines(host(wanted(url=url, engine=True)))
    assert found.level == "problem"
    assert found.what.startswith(f"the engine of painter at {url} cannot be reached: ")
    assert "NEXUS_PAINTER_URL" in found.todo


def test_something_else_in_its_place(wanted, host, tmp_path: Path) -> None:
    """The manifest says that /version answers 2xx; a gateway refuses who asks it for that."""
    with Gateway(tmp_path) as gateway:
        (found,) = engines(host(wanted(url=gateway.url, engine=True)))
        (nothing,) = engines(host(others=(wanted("other", url=gateway.url, engine=True),)))
    assert found.level == "warning"
    assert "GET /version is 401" in found.what
    assert nothing.what.startswith("no service")


def test_the_operators_address_goes_before_the_default(wanted, host) -> None:
    with ScriptedUpstream() as upstream:
        one = wanted(url="http://127.0.0.1:1", env={"NEXUS_PAINTER_URL": upstream.url})
        assert [found.level for found in engines(host(one))] == ["ok"]


def test_an_engine_that_comes_with_its_service_need_not_be_there(wanted, host) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (found,) = engines(host(wanted(url=url, engine=True, in_stack=False)))
    assert found.level == "ok"
    assert "painter brings its engine as example/painter:1" in found.what


def test_engines_of_services_that_nobody_asked_for_are_told_where_they_answer(wanted, host) -> None:
    with ScriptedUpstream() as upstream:
        there = wanted("there", url=upstream.url)
        gone = wanted("gone", url=f"http://127.0.0.1:{free_port()}")
        (found,) = engines(host(others=(there, gone)))
    assert found.level == "ok"
    assert found.what.startswith(f"the engine of there at {upstream.url} answers; to use it")
    (none,) = engines(host(others=(gone,)))
    assert (none.level, none.what) == (
        "ok",
        "no service that is to run needs an engine of its own, and none answers here",
    )


def test_a_stack_without_engines(host: Callable[..., Host]) -> None:
    assert [found.level for found in engines(host())] == ["ok"]


@pytest.mark.parametrize("url", ["", "none", "ftp://host", "http://", "http://host:x", "http://[", "http://host:0"])
def test_what_is_no_address_is_not_asked(wanted: Callable[..., Wanted], url: str) -> None:
    assert list(addresses(wanted(env={"NEXUS_PAINTER_URL": url}))) == []


def test_a_password_in_an_address_is_not_shown(wanted, host) -> None:
    port = free_port()
    (found,) = engines(host(wanted(url=f"http://user:secret@127.0.0.1:{port}/base")))
    assert f"http://127.0.0.1:{port} " in found.what
    assert "secret" not in found.what + found.todo
