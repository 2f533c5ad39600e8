"""kubectl's own kustomize takes what is rendered, the base that is checked in, and the overlay on it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexus.deploy.kubernetes.render import render
from tests.kubernetes.cluster import all_objects, find, pod_spec, workloads
from tests.kubernetes.sites import SITES, plan_of
from tests.kubernetes.tools import KUBECTL, PYTHON, ROOT, needed, run

pytestmark = needed
KUSTOMIZE = ROOT / "deploy" / "kustomize"


def built(folder: Path) -> list[dict[str, Any]]:
    """The objects that `kubectl apply --kustomize` would send."""
    return list(yaml.safe_load_all(run(KUBECTL, "kustomize", folder)))


@pytest.mark.parametrize("site", SITES)
def test_what_is_rendered_is_built_as_it_is(site: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    folder = tmp_path / "rendered"
    folder.mkdir()
    for name, text in render(plan).items():
        (folder / name).write_text(text)
    assert _by_name(built(folder)) == _by_name(all_objects(plan))


def _by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, ...], Any]:
    """Objects as JSON has them: names of keys are text there."""
    plain = json.loads(json.dumps(objects))
    return {(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in plain}


def test_the_base_is_built() -> None:
    objects = built(KUSTOMIZE / "base")
    assert find(objects, "Deployment", "gateway", "nexus")
    assert len(workloads(objects)) > 3


def test_the_overlay_changes_what_it_says_and_is_valid(tmp_path: Path) -> None:
    objects = built(KUSTOMIZE / "overlays" / "example")
    gateway = pod_spec(find(objects, "Deployment", "gateway"))
    assert gateway["containers"][0]["resources"]["limits"]["memory"] == "1Gi"
    assert "nodeSelector" in pod_spec(find(objects, "StatefulSet", "postgres"))
    assert find(objects, "ConfigMap", "nexus-config")["data"]["nexus.yaml"]
    pulling = [item for item in workloads(objects) if "imagePullSecrets" in pod_spec(item)]
    assert {item["metadata"]["name"] for item in pulling} == {
        item["metadata"]["name"] for item in workloads(objects) if item["kind"] == "Deployment"
    }
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    run(PYTHON, "-m", "kubernetes_validate", "--strict", file)
