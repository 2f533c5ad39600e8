"""pip's index, said in uv's words."""

from pathlib import Path

import pytest

from nexus.stack.pip_settings import for_uv, pip_files, uv_files

INDEX = "https://packages.example/simple"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose home holds a pip.conf."""
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(f"[global]\nindex-url = {INDEX}\ncert = /ca.pem\n")
    return {"HOME": str(tmp_path)}


def test_pip_conf_is_carried_over(environ: dict[str, str], tmp_path: Path) -> None:
    assert for_uv(environ, tmp_path) == {"UV_DEFAULT_INDEX": INDEX, "SSL_CERT_FILE": "/ca.pem"}


def test_a_variable_goes_over_the_file(environ: dict[str, str], tmp_path: Path) -> None:
    assert (
        for_uv({**environ, "PIP_INDEX_URL": "https://b.example"}, tmp_path)["UV_DEFAULT_INDEX"] == "https://b.example"
    )


def test_a_later_file_goes_over_an_earlier_one(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[install]\nindex-url = https://c.example\n")
    assert for_uv(environ, tmp_path)["UV_DEFAULT_INDEX"] == "https://c.example"
    assert pip_files({**environ, "PIP_CONFIG_FILE": "/x"}, tmp_path)[-2:] == (tmp_path / "pip.conf", Path("/x"))


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE"])
def test_uvs_own_variables_are_left_alone(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    assert for_uv({**environ, name: "https://own.example"}, tmp_path) == {}


def test_uvs_own_file_is_left_alone(environ: dict[str, str], tmp_path: Path) -> None:
    own = uv_files(environ)[1]
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert for_uv(environ, tmp_path) == {}


def test_certificates_that_are_set_stay(environ: dict[str, str], tmp_path: Path) -> None:
    assert for_uv({**environ, "SSL_CERT_FILE": "/own.pem"}, tmp_path) == {"UV_DEFAULT_INDEX": INDEX}


def test_a_broken_file_is_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("no section\n")
    assert for_uv(environ, tmp_path)["UV_DEFAULT_INDEX"] == INDEX
