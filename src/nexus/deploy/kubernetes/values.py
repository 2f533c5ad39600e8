"""The Helm chart's values: the same plan as numbers and names that an operator may still change."""

from typing import Any, Final

from nexus.deploy.kubernetes.gateway import check
from nexus.deploy.kubernetes.objects import cpu, present
from nexus.deploy.kubernetes.render import COMMAND, check_names, in_cluster
from nexus.deploy.kubernetes.stores import POSTGRES_IMAGE, VALKEY_IMAGE
from nexus.deploy.kubernetes.workloads import GPU_RESOURCE, drain_seconds
from nexus.deploy.plan import DRAIN, Engine, Gpu, Plan, Unit, Volume
from nexus.deploy.site import StorePart
from nexus.deploy.text import dump

VALUES: Final = "values.yaml"
Values = dict[str, Any]


def render_values(plan: Plan) -> str:
    """values.yaml for the plan. Raises SiteError where the site does not fit a cluster."""
    return dump(values(plan), f"{COMMAND} --helm-values")


def values(plan: Plan) -> Values:
    """What the chart's templates read. Raises SiteError."""
    plan = in_cluster(plan)
    check_names(plan)
    check(plan)
    site = plan.site
    return {
        "images": site.site.images,
        "version": plan.version,
        "createNamespace": False,
        "gateway": {
            "replicas": site.gateway.replicas,
            **present(maxReplicas=site.gateway.max_replicas),
            "port": site.gateway.port,
            **present(publicUrl=site.gateway.public_url, host=site.gateway.host),
            "cpu": cpu(site.gateway.cpu),
            "memoryMb": site.gateway.memory_mb,
            "env": dict(site.gateway.env),
        },
        "postgres": {**_store(site.postgres, POSTGRES_IMAGE), "disk": site.postgres.disk},
        "valkey": _store(site.valkey, VALKEY_IMAGE),
        "cluster": _cluster(plan),
        "elsewhere": list(plan.elsewhere),
        "services": {unit.folder: _service(unit) for unit in plan.units},
    }


def _store(part: StorePart, image: str) -> Values:
    return {
        **present(externalSecret=part.external_secret),
        "image": part.image or image,
        "cpu": cpu(part.cpu),
        "memoryMb": part.memory_mb,
    }


def _cluster(plan: Plan) -> Values:
    cluster = plan.site.cluster
    return {
        "metrics": cluster.metrics,
        "modelsDisk": cluster.models_disk,
        "filesDisk": cluster.files_disk,
        "filesAccess": cluster.files_access,
        **present(
            ingressClass=cluster.ingress_class,
            gatewayClass=cluster.gateway_class,
            tlsSecret=cluster.tls_secret,
            storageClass=cluster.storage_class,
            s3Secret=cluster.s3_secret,
            mesh=cluster.mesh,
        ),
    }


def _service(unit: Unit) -> Values:
    told = {unit.engine.url} if unit.engine else set()
    own = {name: value for name, value in unit.env.items() if name != DRAIN and value not in told}
    return {
        "replicas": unit.replicas,
        **present(maxReplicas=unit.max_replicas),
        "cpu": cpu(unit.cpu),
        "memoryMb": unit.memory_mb,
        "concurrency": unit.concurrency,
        "drainSeconds": _plain(drain_seconds(unit)),
        "usesGateway": bool(unit.uses),
        "egress": unit.egress,
        "env": own,
        "secrets": list(unit.secrets),
        "volumes": [_volume(volume) for volume in unit.volumes],
        **present(gpu=_gpu(unit.gpu)),
        "node": dict(unit.node),
        **present(engine=_engine(unit, unit.engine) if unit.engine else None),
    }


def _engine(unit: Unit, engine: Engine) -> Values:
    return {
        "image": engine.image,
        "urlEnv": [name for name, value in unit.env.items() if value == engine.url],
        "port": engine.port,
        "health": engine.health,
        "args": list(engine.command),
        "cpu": cpu(engine.cpu),
        "memoryMb": engine.memory_mb,
        "env": dict(engine.env),
        "volumes": [_volume(volume) for volume in engine.volumes],
        **present(gpu=_gpu(engine.gpu)),
    }


def _volume(volume: Volume) -> Values:
    return {"name": volume.name, "path": volume.path, "readOnly": volume.read_only}


def _gpu(gpu: Gpu | None) -> Values | None:
    return {"resource": GPU_RESOURCE[gpu.kind], "count": gpu.count} if gpu else None


def _plain(number: float) -> float:
    """Whole numbers without a point, as one would write them."""
    return int(number) if number.is_integer() else number
