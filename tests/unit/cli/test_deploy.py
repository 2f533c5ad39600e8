"""`nexus deploy` as it is typed."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nexus.cli.deploy import app


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a stack of one service."""
    service = tmp_path / "services" / "words"
    service.mkdir(parents=True)
    (service / "service.toml").write_text('[service]\nname = "words"\nengine = "e:E"\noperations = ["embeddings"]\n')
    (tmp_path / "stack.toml").write_text('[stack]\nservices = ["services/*"]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_compose_is_written_for_the_site_of_the_folder(folder: Path) -> None:
    (folder / "site.toml").write_text('[site]\nname = "home"\n[service.words]\nreplicas = 2\n')
    assert typed("compose", "--out", "out.yml")[0] == 0
    file = yaml.safe_load((folder / "out.yml").read_text())
    assert (file["name"], file["services"]["words"]["scale"]) == ("home", 2)
    assert typed("compose") == (0, (folder / "out.yml").read_text())


def test_another_site_file_can_be_named(folder: Path) -> None:
    (folder / "other.toml").write_text("[service.words]\nreplicas = 0\n")
    code, text = typed("compose", "--site", "other.toml")
    assert code == 0
    assert "words" not in yaml.safe_load(text)["services"]


def test_a_mistake_is_one_line(folder: Path) -> None:
    (folder / "site.toml").write_text("[service.nobody]\n")
    code, text = typed("compose")
    assert code == 1
    assert text == "nexus: service.nobody: there is no such service; there are: words\n"
    assert typed("compose", "--site", "gone.toml")[0] == 1
    (folder / "site.toml").unlink()
    (folder / "services" / "words" / "service.toml").write_text("[service]\n")
    assert typed("compose")[0] == 1


def test_what_compose_cannot_do_is_one_line(folder: Path) -> None:
    (folder / "site.toml").write_text("[gateway]\nreplicas = 2\n")
    code, text = typed("compose")
    assert code == 1
    assert text.startswith("nexus: gateway.replicas: a Compose stack has one gateway")
    assert text.count("\n") == 1


def test_secrets_are_made_once_and_never_shown(folder: Path) -> None:
    code, text = typed("secrets", "keys")
    assert code == 0
    assert "gateway/api_key" in text
    assert (folder / "keys" / "gateway" / "api_key").read_text().strip() not in text
    assert typed("secrets", "keys") == (0, "nothing was missing\n")
    (folder / "file").write_text("")
    assert typed("secrets", "file")[0] == 1
