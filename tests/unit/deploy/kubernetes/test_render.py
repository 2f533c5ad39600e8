"""The files as a whole: stable, whole, and as they are checked in."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexus.deploy.kubernetes.render import in_cluster, is_rendered, render
from nexus.deploy.plan import make_plan
from nexus.deploy.site import Site, SiteError
from nexus.sdk.manifest import read_manifest
from tests.kubernetes.sites import SITES, plan_of

ROOT = Path(__file__).resolve().parents[4]
BASE = ROOT / "deploy" / "kustomize" / "base"


@pytest.mark.parametrize("site", SITES)
def test_rendering_twice_is_the_same_and_the_order_of_services_does_not_matter(site: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    assert list(render(plan).items()) == list(render(plan_of(tmp_path, site)).items())
    turned = replace(plan, units=tuple(reversed(plan.units)))
    assert list(render(turned).items()) == list(render(plan).items())


@pytest.mark.parametrize("site", SITES)
def test_the_kustomization_lists_every_file_once_with_namespaces_first(site: str, tmp_path: Path) -> None:
    files = render(plan_of(tmp_path, site))
    listed = yaml.safe_load(files["kustomization.yaml"])["resources"]
    assert sorted(listed) == sorted(set(files) - {"kustomization.yaml", "README.md"})
    assert listed[0] == "namespaces.yaml"
    for name in listed:
        assert is_rendered(files[name])
        assert all(item["kind"] for item in yaml.safe_load_all(files[name]))


def test_services_of_a_profile_wait_until_the_site_names_it_or_them(tmp_path: Path) -> None:
    def folders(site: dict[str, Any]) -> list[str]:
        return [unit.folder for unit in in_cluster(plan_of(tmp_path, site)).units]

    assert folders({}) == ["asking", "keeping", "plain"]
    assert folders({"site": {"profiles": ["big"]}}) == ["asking", "behind", "keeping", "plain"]
    assert folders({"service": {"behind": {}}}) == ["asking", "behind", "keeping", "plain"]


def test_a_service_left_out_has_no_file(tmp_path: Path) -> None:
    assert "service-plain.yaml" not in render(plan_of(tmp_path, {"service": {"plain": {"replicas": 0}}}))


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"postgres": {"external_secret": "a/b"}}, r"postgres\.external_secret: 'a/b' is not the name of a Secret"),
        ({"valkey": {"external_secret": "UP"}}, r"valkey\.external_secret"),
    ],
)
def test_names_that_no_cluster_takes_are_refused(site: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=words):
        render(plan_of(tmp_path, site))


def test_a_folder_whose_name_is_no_objects_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "Big_Words"
    place.mkdir()
    (place / "service.toml").write_text('[service]\nname = "w"\nengine = "e:E"\noperations = ["embeddings"]\n')
    with pytest.raises(SiteError, match=r"service\.Big_Words"):
        render(make_plan(Site(), [read_manifest(place)], "1"))


def test_the_base_that_is_checked_in_is_the_default_site_of_the_services_that_it_names() -> None:
    """Those that have come since need not be there: to add a service touches its own folder alone. After a change of
    a manifest: `nexus deploy k8s --out deploy/kustomize/base`."""
    names = [path.stem.removeprefix("service-") for path in BASE.glob("service-*.yaml")]
    assert names
    manifests = [read_manifest(ROOT / "services" / name) for name in names]
    wanted = render(make_plan(Site(), manifests, version("nexus-gateway")))
    assert {path.name: path.read_text() for path in BASE.iterdir()} == dict(wanted)
