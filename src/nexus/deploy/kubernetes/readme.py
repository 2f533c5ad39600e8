"""What stands beside the rendered objects: the few commands that make them run, for this very site."""

from collections.abc import Iterator
from typing import Final

from nexus.deploy.kubernetes.gateway import in_bucket
from nexus.deploy.kubernetes.objects import KEYS, SCRAPES_LABEL, home
from nexus.deploy.plan import Plan

_TEXT: Final = """\
# {namespace}

Rendered by `nexus deploy k8s`. No secret is in these files; pods wait until theirs are there.

```sh
nexus deploy secrets keys      # makes passwords and the administrator's token, once
kubectl apply --filename namespaces.yaml
{commands}
kubectl apply --kustomize .
kubectl --namespace {namespace} rollout status deployment/gateway
kubectl --namespace {namespace} port-forward service/gateway {port}
```

The administrator's token is in `keys/gateway/api_key`. Keep that folder out of version control.
"""


def readme(plan: Plan) -> str:
    """README.md."""
    return _TEXT.format(namespace=home(plan), port=plan.site.gateway.port, commands="\n".join(_commands(plan)))


def _commands(plan: Plan) -> Iterator[str]:
    site = plan.site
    yield _secret(plan, KEYS, *_keys(plan))
    for part in (site.postgres, site.valkey):
        if part.external_secret:
            yield _secret(plan, part.external_secret, "--from-file=url=FILE-WITH-THE-ADDRESS")
    if site.cluster.s3_secret and in_bucket(plan):
        files = ("--from-file=access-key-id=FILE", "--from-file=secret-access-key=FILE")
        yield _secret(plan, site.cluster.s3_secret, *files)
    for unit in plan.units:
        if unit.secrets:
            yield f"# if {unit.folder} is to have any of these; leave out the others:"
            yield _secret(plan, f"{unit.folder}-secrets", *(f"--from-file={name}=FILE" for name in unit.secrets))
    if site.cluster.tls_secret:
        yield f"kubectl --namespace {home(plan)} create secret tls {site.cluster.tls_secret} --cert=FILE --key=FILE"
    if site.cluster.metrics:
        yield f"kubectl label namespace THE-ONE-OF-PROMETHEUS {SCRAPES_LABEL}=true"


def _keys(plan: Plan) -> Iterator[str]:
    """The files that `nexus deploy secrets` makes, but for those of stores that are elsewhere."""
    site = plan.site
    yield "--from-file=api_key=keys/gateway/api_key"
    if not site.postgres.external_secret:
        yield "--from-file=database_url=keys/gateway/database_url"
        yield "--from-file=postgres_password=keys/postgres/password"
    if not site.valkey.external_secret:
        yield "--from-file=redis_url=keys/gateway/redis_url"
        yield "--from-file=valkey.conf=keys/valkey/valkey.conf"


def _secret(plan: Plan, name: str, *contents: str) -> str:
    lines = [f"kubectl --namespace {home(plan)} create secret generic {name}", *(f"  {part}" for part in contents)]
    return " \\\n".join(lines)
