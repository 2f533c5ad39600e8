"""What the SDK makes is sound: the scaffold's output, untouched, and a service with models that streams."""

from pathlib import Path

from nexus.sdk.conformance.launch import launched
from nexus.sdk.conformance.run import Result, run_checks
from nexus.sdk.scaffold.new import new_service


def not_passed(results: list[Result]) -> dict[str, str]:
    return {result.check.name: f"{result.status}: {result.reason}" for result in results if result.status != "pass"}


def test_a_new_service_untouched(tmp_path: Path) -> None:
    with launched(new_service("word-tools", tmp_path)) as url:
        assert not_passed(run_checks(url)) == {"unknown-model": "skip: it has no models"}


def test_a_service_with_models_that_streams(sound) -> None:
    with sound() as url:
        assert not_passed(run_checks(url)) == {}
