"""Everything that is rendered, held to the schemas of Kubernetes' versions and of the custom resources."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nexus.deploy.kubernetes.render import render
from tests.kubernetes.cluster import all_objects
from tests.kubernetes.sites import SITES, plan_of
from tests.kubernetes.tools import PYTHON, ROOT, TOOLS, needed, run

pytestmark = needed

OLDEST, NEWEST = 28, 37
CUSTOM = {"Gateway", "HTTPRoute", "PeerAuthentication", "ServiceMonitor"}
WITHOUT_SCHEMA = {"Server", "AuthorizationPolicy", "MeshTLSAuthentication"}
"""Linkerd's: no package has their schemas."""


def validate(version: str, *files: Path) -> str:
    return run(PYTHON, "-m", "kubernetes_validate", "-k", version, "--strict", *files)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A file with the objects of all sites as they are rendered, each once, and how many that are."""
    folder = tmp_path_factory.mktemp("rendered")
    texts = {
        text.strip(): None
        for site in SITES
        for name, file in render(plan_of(folder, site)).items()
        if name not in {"README.md", "kustomization.yaml"}
        for text in file.split("---\n")
    }
    path = folder / "all.yaml"
    path.write_text("\n---\n".join(texts))
    return path, len(texts)


@pytest.mark.parametrize("minor", range(OLDEST, NEWEST + 1))
def test_every_version_takes_every_object(minor: int, rendered: tuple[Path, int]) -> None:
    file, objects = rendered
    told = validate(f"1.{minor}", file)
    passed = [line for line in told.splitlines() if line.endswith(f" against version 1.{minor}")]
    unknown = re.findall(r"Couldn't find schema for kind (\w+)", told)
    assert len(passed) + len(unknown) == objects
    assert set(unknown) == CUSTOM | WITHOUT_SCHEMA


def test_the_newest_is_the_newest_there_is() -> None:
    code = "from kubernetes_validate.utils import latest_version; print(latest_version())"
    assert run(PYTHON, "-c", code).split(".")[1] == str(NEWEST)


def test_what_no_version_knows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {publishNotReadyAddress: true}\n")
    with pytest.raises(AssertionError, match="publishNotReadyAddress"):
        validate("1.28", file)


def check_custom(objects: list[Mapping[str, Any]]) -> list[str]:
    script = ROOT / "tests" / "kubernetes" / "custom.mjs"
    return run("node", script, TOOLS / "node_modules", given=json.dumps(objects)).splitlines()


def test_custom_resources_are_as_their_makers_describe_them(tmp_path: Path) -> None:
    objects = [item for site in SITES for item in all_objects(plan_of(tmp_path, site)) if item["kind"] in CUSTOM]
    assert {item["kind"] for item in objects} == CUSTOM
    assert len(check_custom(objects)) == len(objects)


def test_a_custom_resource_that_is_wrong_is_refused() -> None:
    rule = {"timeouts": {"request": "never"}}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "x"}}
    with pytest.raises(AssertionError, match="must match pattern"):
        check_custom([{**route, "spec": {"rules": [rule]}}])
