"""The Helm chart's values."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from nexus.deploy.kubernetes.values import render_values, values
from nexus.deploy.plan import make_plan
from nexus.deploy.site import Site, SiteError
from nexus.sdk.manifest import read_manifest
from tests.kubernetes.sites import SITES, plan_of

ROOT = Path(__file__).resolve().parents[4]
CHART = ROOT / "deploy" / "helm" / "nexus"
SCHEMA = yaml.safe_load((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("site", SITES)
def test_they_are_what_the_chart_takes_and_read_back_the_same(site: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    read = yaml.safe_load(render_values(plan))
    assert read == values(plan)
    jsonschema.validate(read, SCHEMA)


def test_each_service_is_told_by_its_manifest_and_the_site(tmp_path: Path) -> None:
    services = values(plan_of(tmp_path, "gpu"))["services"]
    assert set(services) == {"plain", "asking", "keeping", "behind"}
    assert services["plain"]["memoryMb"] == 700
    assert services["plain"]["gpu"] == {"resource": "nvidia.com/gpu", "count": 2}
    assert services["asking"]["usesGateway"] is True
    assert (services["keeping"]["egress"], services["keeping"]["secrets"]) == (True, ["KEEPING_KEY"])
    engine = services["behind"]["engine"]
    assert (engine["image"], engine["urlEnv"]) == ("some/engine:1-rocm", ["BEHIND_URL"])
    assert "BEHIND_URL" not in services["behind"]["env"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway": {"replicas": 0}},
        {"cluster": {"mesh": "other"}},
        {"services": {"plain": {"memoryMb": "lots"}}},
        {"services": {"Plain": {}}},
        {"more": 1},
    ],
)
def test_the_chart_takes_nothing_else(wrong: dict[str, Any], tmp_path: Path) -> None:
    given = values(plan_of(tmp_path, "default"))
    for key, part in wrong.items():
        given[key] = {**given[key], **part} if key in given else part
        for name, service in part.items() if key == "services" else ():
            given[key][name] = {**given[key].get("plain", {}), **service}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, SCHEMA)


def test_a_site_that_does_not_fit_a_cluster_has_none(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"gateway\.replicas"):
        values(plan_of(tmp_path, {"gateway": {"replicas": 2}}))


def test_those_checked_in_are_the_default_sites_for_the_services_that_they_name() -> None:
    """After a change of a manifest: `nexus deploy k8s --helm-values --out deploy/helm/nexus`."""
    text = (CHART / "values.yaml").read_text()
    manifests = [read_manifest(ROOT / "services" / name) for name in yaml.safe_load(text)["services"]]
    assert text == render_values(make_plan(Site(), manifests, version("nexus-gateway")))


def test_the_charts_version_is_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version("nexus-gateway")
