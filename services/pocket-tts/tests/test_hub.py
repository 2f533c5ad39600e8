"""What the hub's client is told, without a word in the log."""

import os
from pathlib import Path

import pytest
from nexus_pocket_tts.hub import prepare_hub


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "")  # so that it is as it was afterwards
    monkeypatch.setenv("HF_HOME", "")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.delenv("HF_HOME")


def test_the_cache_is_the_services_own(tmp_path: Path) -> None:
    prepare_hub("", tmp_path)
    assert os.environ["HF_HOME"] == str(tmp_path / "huggingface")
    assert "HF_TOKEN" not in os.environ


def test_the_token_is_passed_on_and_a_cache_that_is_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/elsewhere")
    prepare_hub("from-a-file", tmp_path)
    assert (os.environ["HF_TOKEN"], os.environ["HF_HOME"]) == ("from-a-file", "/elsewhere")
