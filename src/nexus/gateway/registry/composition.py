"""Puts the registry together: the one list of the ways in which instances are found."""

import time

from nexus.gateway.config import Config
from nexus.gateway.log import Log
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.sources.dns import DnsSource
from nexus.gateway.registry.sources.listing import Source
from nexus.gateway.registry.sources.stack import StackSource
from nexus.gateway.registry.sources.static import StaticSource
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.settings import Settings

_MISSED_BEATS = 3
_DNS_KEPT = 6  # discovery intervals for which a name that does not resolve keeps its last answer
_DNS_PATIENCE = 2.0  # seconds


def create_registry(
    settings: Settings, config: Config, log: Log, *, instance: str
) -> tuple[Registry, AnnounceSource | None]:
    """The registry that these settings ask for, and its announce source where services may announce themselves.

    `instance` is this gateway's own instance id.
    """
    every = settings.discovery_interval
    resolver = Resolver()
    announce = AnnounceSource(_MISSED_BEATS * every, time.monotonic) if settings.registration_secret else None
    sources: tuple[Source, ...] = (
        StaticSource(settings.services),
        *([StackSource(settings.stack_file, log)] if settings.stack_file else []),
        *(
            DnsSource(name, resolver, log, timeout=_DNS_PATIENCE, keep=_DNS_KEPT * every, clock=time.monotonic)
            for name in settings.discovery_dns
        ),
        *([announce] if announce else []),
    )
    registry = Registry(
        sources,
        resolver=resolver,
        discovery_interval=every,
        health_interval=settings.health_interval,
        log=log,
        config=config,
        own_instance=instance,
    )
    return registry, announce
