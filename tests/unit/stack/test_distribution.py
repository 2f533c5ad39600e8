"""Installing the running Nexus once more: from its source tree, or from its installed files."""

import subprocess
import sys
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from nexus.stack.distribution import pack_again, running_sdk, source_tree

INFO = "nexus_gateway-9.9.dist-info"


@pytest.mark.parametrize(
    ("direct_url", "folder"),
    [
        (None, None),
        ('{"url": "file:///a%20b/c", "dir_info": {"editable": true}}', Path("/a b/c")),
        ('{"url": "file:///a/x.whl", "archive_info": {}}', None),
        ('{"url": "https://x.example/y", "dir_info": {"editable": true}}', None),
    ],
)
def test_the_source_tree_of_an_editable_installation(direct_url: str | None, folder: Path | None) -> None:
    assert source_tree(direct_url) == folder


def test_the_tests_run_from_a_source_tree() -> None:
    sdk = running_sdk()
    assert sdk.checkout
    assert (sdk.checkout / "pyproject.toml").exists()
    assert sdk.install_arguments(Path("/nowhere")) == ["--editable", str(sdk.checkout)]
    assert running_sdk().fingerprint == sdk.fingerprint


@pytest.fixture
def installed(tmp_path: Path) -> Distribution:
    """A small distribution as an installer leaves it behind."""
    site = tmp_path / "site"
    files = {
        "nexus/__init__.py": "A = 1\n",
        "nexus/__pycache__/__init__.cpython-311.pyc": "compiled",
        f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: nexus-gateway\nVersion: 9.9\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/INSTALLER": "uv",
        f"{INFO}/entry_points.txt": "[console_scripts]\nnexus = nexus.cli.main:main\n",
    }
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    record = "".join(f"{name},,\n" for name in [*files, "../../../bin/nexus", f"{INFO}/RECORD"])
    (site / INFO / "RECORD").write_text(record)
    return Distribution.at(site / INFO)


def test_an_installed_package_is_packed_again(installed: Distribution, tmp_path: Path) -> None:
    wheel = pack_again(installed, tmp_path / "wheels")
    assert wheel.name == "nexus_gateway-9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == [
            "nexus/__init__.py",
            f"{INFO}/METADATA",
            f"{INFO}/RECORD",
            f"{INFO}/WHEEL",
            f"{INFO}/entry_points.txt",
        ]
        assert "nexus/__init__.py,sha256=" in archive.read(f"{INFO}/RECORD").decode()
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name]


def test_the_packed_wheel_installs(installed: Distribution, tmp_path: Path) -> None:
    wheel, target = pack_again(installed, tmp_path / "wheels"), tmp_path / "target"
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, timeout=60)
    assert (target / "nexus" / "__init__.py").read_text() == "A = 1\n"
    assert (target / "bin" / "nexus").exists()


def test_a_packed_wheel_is_not_packed_twice(installed: Distribution, tmp_path: Path) -> None:
    wheel = pack_again(installed, tmp_path / "wheels")
    before = wheel.stat().st_mtime_ns
    assert pack_again(installed, tmp_path / "wheels") == wheel
    assert wheel.stat().st_mtime_ns == before
