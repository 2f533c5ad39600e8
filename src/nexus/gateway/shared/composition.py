"""Makes the shared limits, where the settings name a Redis."""

from functools import partial

from nexus.gateway.log import Log
from nexus.gateway.settings import Settings
from nexus.gateway.shared.address import parse_redis_url
from nexus.gateway.shared.limits import SharedLimits
from nexus.gateway.shared.opening import open_link
from nexus.gateway.shared.scripts import load_scripts


def create_shared(settings: Settings, log: Log) -> SharedLimits | None:
    """At rest: `run()` brings them to life. None: each gateway counts on its own."""
    if settings.redis_url is None:
        return None
    address = parse_redis_url(settings.redis_url.get_secret_value())
    scripts = load_scripts()
    closed = settings.limits_without_redis == "closed"
    return SharedLimits(
        partial(open_link, address, scripts), scripts, closed=closed, lease=settings.lease_seconds, log=log
    )
