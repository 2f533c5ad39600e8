"""The commands that stand beside the rendered objects make what the pods wait for."""

import re
from pathlib import Path
from typing import Any

import pytest

from nexus.deploy.kubernetes.render import render
from nexus.deploy.secrets import ensure_secrets
from tests.kubernetes.cluster import all_objects, pod_spec, workloads
from tests.kubernetes.sites import SITES, plan_of


def wanted_keys(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(Secret, key) of every secret that some pod has to have."""
    return {
        (source["secret"]["name"], item["key"])
        for workload in workloads(objects)
        for volume in pod_spec(workload).get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }


def told_keys(text: str) -> set[tuple[str, str]]:
    """(Secret, key) that the commands make."""
    joined = text.replace("\\\n", " ")
    return {
        (secret, key)
        for secret, rest in re.findall(r"create secret generic (\S+)(.*)", joined)
        for key in re.findall(r"--from-file=([^=\s]+)=", rest)
    }


@pytest.mark.parametrize("site", SITES)
def test_every_secret_that_pods_wait_for_is_told_how_to_make(site: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    told = told_keys(render(plan)["README.md"])
    wanted = wanted_keys(all_objects(plan))
    assert {("nexus-keys", "api_key")} <= wanted
    assert told - wanted == {("keeping-secrets", "KEEPING_KEY")}
    assert wanted <= told


def test_the_files_named_are_those_that_the_command_makes(tmp_path: Path) -> None:
    named = set(re.findall(r"=(keys/\S+)", render(plan_of(tmp_path, "default"))["README.md"]))
    ensure_secrets(tmp_path / "keys")
    assert len(named) == 5
    assert all((tmp_path / name).is_file() for name in named)


def test_certificates_and_scrapers_are_told_of_where_the_site_has_them(tmp_path: Path) -> None:
    assert "create secret tls ai-tls" in render(plan_of(tmp_path, "ingress"))["README.md"]
    assert "nexus.dev/scrapes=true" in render(plan_of(tmp_path, "replicas"))["README.md"]
    plain = render(plan_of(tmp_path, "default"))["README.md"]
    assert "tls" not in plain
    assert "scrapes" not in plain
