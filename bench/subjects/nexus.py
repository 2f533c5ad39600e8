"""This gateway with every feature on: auth, discovery and probing, metrics, one JSON line a request into a file.

One token has no limits, another one each of those that are counted in memory.
"""

import hashlib
import sys
from pathlib import Path

from bench.subjects.subject import Launch, Site, Subject

_LIMITS = """\
policies:
  limited: {{rpm: 100000000, tpm: 1000000000, concurrency: 5000}}
tokens:
  - {{name: limited, sha256: {digest}, policy: limited}}
"""


def _launch(program: Path, site: Site) -> Launch:
    config = site.folder / "nexus.yaml"
    config.write_text(_LIMITS.format(digest=hashlib.sha256(site.limited_token.encode()).hexdigest()))
    return Launch(
        (str(program), "-m", "nexus.cli", "gateway"),
        {
            "NEXUS_HOST": "127.0.0.1",
            "NEXUS_PORT": str(site.port),
            "NEXUS_SERVICES": site.upstream_url,
            "NEXUS_AUTH": "required",
            "NEXUS_API_KEY": site.token,
            "NEXUS_CONFIG": str(config),
        },
    )


SUBJECT = Subject(
    name="nexus",
    get="make up",
    find=lambda: Path(sys.executable),
    launch=_launch,
    limits=True,
)
