"""This gateway with every feature on: auth, discovery and probing, metrics, one JSON line a request into a file."""

import sys
from pathlib import Path

from bench.subjects.subject import Launch, Site, Subject


def _launch(program: Path, site: Site) -> Launch:
    return Launch(
        (str(program), "-m", "nexus.cli", "gateway"),
        {
            "NEXUS_HOST": "127.0.0.1",
            "NEXUS_PORT": str(site.port),
            "NEXUS_SERVICES": site.upstream_url,
            "NEXUS_API_KEY": site.token,
            "NEXUS_AUTH": "required",
        },
    )


SUBJECT = Subject(
    name="nexus",
    get="make up",
    find=lambda: Path(sys.executable),
    launch=_launch,
)
