"""This gateway with every feature on: auth, discovery and probing, metrics, one JSON line a request into a file.

Twice: once with a token that has no limits, and once with one that has each of those that are counted in memory.
"""

import hashlib
import sys
from pathlib import Path

from bench.subjects.subject import Launch, Site, Subject

_LIMITS = """\
policies:
  bench: {{rpm: 100000000, tpm: 1000000000, concurrency: 5000}}
tokens:
  - {{name: bench, sha256: {digest}, policy: bench}}
"""


def _launch(program: Path, site: Site) -> Launch:
    return _gateway(program, site, {"NEXUS_API_KEY": site.token})


def _launch_with_limits(program: Path, site: Site) -> Launch:
    config = site.folder / "nexus.yaml"
    config.write_text(_LIMITS.format(digest=hashlib.sha256(site.token.encode()).hexdigest()))
    return _gateway(program, site, {"NEXUS_CONFIG": str(config)})


def _gateway(program: Path, site: Site, more: dict[str, str]) -> Launch:
    return Launch(
        (str(program), "-m", "nexus.cli", "gateway"),
        {
            "NEXUS_HOST": "127.0.0.1",
            "NEXUS_PORT": str(site.port),
            "NEXUS_SERVICES": site.upstream_url,
            "NEXUS_AUTH": "required",
            **more,
        },
    )


SUBJECT = Subject(
    name="nexus",
    get="make up",
    find=lambda: Path(sys.executable),
    launch=_launch,
)
WITH_LIMITS = Subject(
    name="nexus-limits",
    get="make up",
    find=lambda: Path(sys.executable),
    launch=_launch_with_limits,
)
