"""The guide from host services to containers speaks of parts, volumes and paths that the rendered stack has."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexus.deploy.compose.render import render
from nexus.deploy.plan import make_plan
from nexus.deploy.site import Site
from nexus.sdk.manifest import read_manifest

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "migration.md").read_text()
OWN_PLACES = {"/checkpoint", "/var/lib/nexus/nexus.yaml", "/var/cache/nexus/huggingface"}  # in no volume's stead


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    manifests = [read_manifest(file.parent) for file in sorted(ROOT.glob("services/*/service.toml"))]
    rendered: dict[str, Any] = yaml.safe_load(render(make_plan(Site(), manifests, "0")))
    return rendered


def overrides() -> dict[str, Any]:
    blocks = [yaml.safe_load(textwrap.dedent(text)) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    return {f"{number} {name}": part for number, one in enumerate(blocks) for name, part in one["services"].items()}


@pytest.mark.parametrize("key", overrides())
def test_each_override_is_of_a_part_and_takes_a_volumes_place(stack: dict[str, Any], key: str) -> None:
    part = stack["services"][key.split()[1]]
    there = {mount.split(":")[-2 if mount.endswith(":ro") else -1] for mount in part["volumes"]}
    for mount in overrides()[key].get("volumes", ()):
        assert mount.removesuffix(":ro").rpartition(":")[2] in there | OWN_PLACES, mount


@pytest.mark.parametrize("key", [key for key, part in overrides().items() if "environment" in part])
def test_variables_are_those_of_the_service(key: str) -> None:
    name = key.split()[1]
    known = {"NEXUS_API_KEY_FILE"}
    if name != "gateway":
        known = {entry.env for entry in read_manifest(ROOT / "services" / name).config}
    assert set(overrides()[key]["environment"]) <= known


def test_profiles_parts_and_volumes_that_it_names_are_there(stack: dict[str, Any]) -> None:
    profiles = {profile for part in stack["services"].values() for profile in part.get("profiles", ())}
    assert set(re.findall(r"--profile ([a-z][a-z-]*)", GUIDE)) <= profiles
    assert set(re.findall(r"\b([a-z-]+-engine)\b(?!-)", GUIDE)) <= stack["services"].keys() | {"without-engine"}
    assert set(re.findall(r"nexus_([a-z-]+)`", GUIDE)) <= stack["volumes"].keys()


@pytest.mark.parametrize("key", [key for key, part in overrides().items() if "extra_hosts" in part])
def test_what_asks_the_host_is_on_a_network_with_a_way_out(stack: dict[str, Any], key: str) -> None:
    assert "outside" in overrides()[key].get("networks", stack["services"][key.split()[1]]["networks"])


def test_only_the_gateway_and_the_profiles_that_say_so_publish_ports(stack: dict[str, Any]) -> None:
    publishing = {name for name, part in stack["services"].items() if "ports" in part}
    assert publishing == {"gateway", "tls", "prometheus"}
