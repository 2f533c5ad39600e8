"""The gateway in a cluster: its variables, its secrets, its files."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from nexus.deploy.plan import SECRET_VARIABLES
from nexus.deploy.secrets import ensure_secrets
from nexus.deploy.site import SiteError
from nexus.gateway.registry.sources.dns import DnsName
from nexus.gateway.settings import Settings, load_settings
from tests.kubernetes.cluster import all_objects, find, pod_spec
from tests.kubernetes.sites import plan_of


def gateway(folder: Path, site: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The pod and its variables."""
    pod = pod_spec(find(all_objects(plan_of(folder, site)), "Deployment", "gateway"))
    return pod, {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"] if "value" in entry}


def secrets(pod: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """(Secret, key) by the name of the file."""
    (keys,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "keys"]
    assert keys["defaultMode"] == 0o440
    return {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in keys["sources"]
        for item in source["secret"]["items"]
    }


def test_it_finds_services_by_name_and_is_asked_back_at_its_own_address(tmp_path: Path) -> None:
    pod, told = gateway(tmp_path, "default")
    assert told["NEXUS_DISCOVERY_DNS"] == "nexus-service:8000"
    assert told["NEXUS_ADVERTISED_URL"] == "http://$(POD_IP):8800"
    assert pod["containers"][0]["env"][0]["name"] == "POD_IP"
    assert "NEXUS_SERVICES" not in told


def test_its_variables_are_those_that_the_gateway_knows(tmp_path: Path) -> None:
    known = {f"NEXUS_{name.upper()}" for name in Settings.model_fields}
    for site in ("external", "replicas", "ingress"):
        assert {name.removesuffix("_FILE") for name in gateway(tmp_path, site)[1]} <= known


def test_the_gateway_takes_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kubelet would set them, its folders being under another one here."""
    ensure_secrets(tmp_path / "keys")
    pod, told = gateway(tmp_path, "external")
    for name, value in told.items():
        here = value.replace("/run/nexus/gateway", str(tmp_path / "keys" / "gateway"))
        monkeypatch.setenv(name, here.replace("$(POD_IP)", "10.1.2.3"))
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", pod["containers"][0]["ports"][0]["containerPort"])
    assert settings.discovery_dns == (DnsName("nexus-service", 8000),)
    assert settings.advertised_url == "http://10.1.2.3:8800"
    assert settings.api_key is not None
    assert settings.database_url.get_secret_value().startswith("postgresql://nexus:")
    assert len(settings.services) == 2


def test_its_keys_are_files_out_of_one_secret(tmp_path: Path) -> None:
    pod, told = gateway(tmp_path, "default")
    assert secrets(pod) == {name: ("nexus-keys", name) for name in ("api_key", "database_url", "redis_url")}
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "keys"]
    assert told["NEXUS_DATABASE_URL_FILE"] == f"{mount['mountPath']}/database_url"


def test_stores_elsewhere_are_addressed_by_secrets_of_theirs(tmp_path: Path) -> None:
    pod, told = gateway(tmp_path, "external")
    assert secrets(pod)["database_url"] == ("our-postgres", "url")
    assert secrets(pod)["redis_url"] == ("our-valkey", "url")
    assert told["NEXUS_SERVICES"] == "https://models.example,http://10.0.0.5:8000"


def test_a_bucket_takes_the_place_of_the_volume(tmp_path: Path) -> None:
    pod, told = gateway(tmp_path, "replicas")
    assert told["NEXUS_FILES_URL"] == "s3://bucket/nexus"
    assert secrets(pod)["s3_access_key_id"] == ("bucket-keys", "access-key-id")
    assert "gateway-files" not in [
        item["metadata"]["name"]
        for item in all_objects(plan_of(tmp_path, "replicas"))
        if item["kind"] == "PersistentVolumeClaim"
    ]
    assert gateway(tmp_path, "default")[1]["NEXUS_FILES_URL"] == "file:///var/lib/nexus/files"


def test_it_goes_on_for_a_while_after_it_is_told_to_end(tmp_path: Path) -> None:
    pod, _ = gateway(tmp_path, "default")
    notice = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > notice + 10


@pytest.mark.parametrize(
    ("site", "url"), [("ingress", "https://ai.example.org"), ("gateway-api", "https://ai.example.org/nexus")]
)
def test_it_knows_where_clients_reach_it(site: str, url: str, tmp_path: Path) -> None:
    assert gateway(tmp_path, site)[1]["NEXUS_PUBLIC_URL"] == url


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"gateway": {"replicas": 2}}, "gateway.replicas: more than one gateway needs files"),
        ({"gateway": {"max_replicas": 2}}, "gateway.replicas: more than one gateway needs files"),
        ({"gateway": {"env": {"NEXUS_FILES_URL": "/data"}}}, "gateway.env.NEXUS_FILES_URL"),
        *(({"gateway": {"env": {name: "x"}}}, f"gateway.env.{name}: it is secret") for name in SECRET_VARIABLES),
    ],
)
def test_a_site_that_would_not_work_or_would_show_a_secret_is_refused(
    site: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SiteError, match=words):
        all_objects(plan_of(tmp_path, site))


def test_every_secret_variable_of_the_gateway_is_known_to_be_one() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert SecretStr.__name__ in str(Settings.model_fields["database_url"].annotation)
    assert {f"NEXUS_{name.upper()}" for name in secret} == set(SECRET_VARIABLES)


def test_its_metrics_are_answered_to_pods_where_they_are_collected(tmp_path: Path) -> None:
    assert "NEXUS_METRICS_ALLOW" not in gateway(tmp_path, "default")[1]
    assert "10.0.0.0/8" in gateway(tmp_path, "replicas")[1]["NEXUS_METRICS_ALLOW"].split(",")
