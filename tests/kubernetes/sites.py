"""Services and sites that between them ask for everything that a cluster can be asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nexus.deploy.plan import Plan, make_plan
from nexus.deploy.site import Site
from nexus.sdk.manifest import ServiceManifest, read_manifest

SERVICES: Final[Mapping[str, str]] = {
    "plain": """
[service]
name = "plain"
engine = "engine:Plain"
operations = ["embeddings"]
[resources]
cpu = 2
memory_mb = 700
[capabilities]
max_concurrency = 4
""",
    "asking": """
[service]
name = "asking"
engine = "engine:Asking"
operations = ["videos"]
uses = ["images.generations"]
[resources]
cpu = 0.5
memory_mb = 300
""",
    "keeping": """
[service]
name = "keeping"
engine = "engine:Keeping"
operations = ["rerank"]
[deploy]
egress = true
[deploy.volumes]
models = "/models"
voices = "/voices"
[[config]]
env = "KEEPING_KEY"
secret = true
""",
    "behind": """
[service]
name = "behind"
engine = "engine:Behind"
operations = ["chat.completions"]
[resources]
memory_mb = 200
[deploy]
profile = "big"
[deploy.engine]
image = "some/engine:1"
images = { rocm = "some/engine:1-rocm" }
command = ["serve", "--port=11434"]
port = 11434
url_env = "BEHIND_URL"
health = "/api/version"
cpu = 4
memory_mb = 8192
env = { ENGINE_HOST = "0.0.0.0:11434" }
volumes = { models = "/root/.models" }
[[config]]
env = "BEHIND_URL"
""",
}

_BUCKET: Final = {"NEXUS_FILES_URL": "s3://bucket/nexus", "NEXUS_S3_REGION": "eu-central-1"}

SITES: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "engine": {"site": {"profiles": ["big"]}},
    "gpu": {
        "site": {"profiles": ["big"], "images": "registry.example/nexus", "version": "9.9"},
        "service": {
            "plain": {"gpu": "nvidia", "gpus": 2, "node": {"kubernetes.io/hostname": "box-1"}},
            "behind": {"gpu": "rocm", "node": {"gpu": "big"}},
        },
    },
    "external": {
        "postgres": {"external_secret": "our-postgres"},
        "valkey": {"external_secret": "our-valkey"},
        "service": {"far": {"url": "http://10.0.0.5:8000"}, "away": {"url": "https://models.example"}},
    },
    "istio": {"site": {"profiles": ["big"]}, "cluster": {"mesh": "istio"}},
    "linkerd": {"site": {"profiles": ["big"]}, "cluster": {"mesh": "linkerd"}},
    "ingress": {
        "gateway": {"host": "ai.example.org", "port": 9000},
        "cluster": {"ingress_class": "nginx", "tls_secret": "ai-tls", "storage_class": "fast"},
    },
    "ingress-plain": {"cluster": {"ingress_class": "traefik"}},
    "gateway-api": {
        "gateway": {"host": "ai.example.org", "public_url": "https://ai.example.org/nexus"},
        "cluster": {"gateway_class": "envoy", "tls_secret": "ai-tls"},
    },
    "gateway-api-plain": {"cluster": {"gateway_class": "envoy"}},
    "replicas": {
        "gateway": {"replicas": 3, "max_replicas": 6, "env": _BUCKET},
        "cluster": {"metrics": True, "s3_secret": "bucket-keys"},
        "service": {
            "plain": {"replicas": 3, "max_replicas": 9, "env": {"NEXUS_DRAIN_SECONDS": "90.5", "PLAIN_WORDS": "on"}},
            "keeping": {"replicas": 2},
        },
    },
    "shared-files": {"gateway": {"replicas": 2}, "cluster": {"files_access": "ReadWriteMany", "metrics": True}},
}


def manifests(folder: Path, names: Sequence[str] = tuple(SERVICES)) -> list[ServiceManifest]:
    """The manifests of the services above, written into a folder."""
    for name in names:
        place = folder / name
        place.mkdir(exist_ok=True)
        (place / "service.toml").write_text(SERVICES[name])
    return [read_manifest(folder / name) for name in names]


def plan_of(folder: Path, site: str | Mapping[str, Any]) -> Plan:
    """The plan of a site above, or of one given."""
    wanted = SITES[site] if isinstance(site, str) else site
    return make_plan(Site.model_validate(wanted), manifests(folder), "1.2.3")
