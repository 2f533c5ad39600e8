"""Which engine method answers which operation: the engine's class imported, checked and bound to the manifest."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nexus.contract.card import Endpoint
from nexus.contract.operations import BY_NAME
from nexus.sdk.engine import Engine
from nexus.sdk.manifest import ServiceManifest
from nexus.sdk.problems import ServiceError
from nexus.sdk.requests import RequestType, request_type


@dataclass(frozen=True, slots=True)
class BoundOperation:
    """One operation with the engine's method; `done_marker` as in `contract.operations`."""

    endpoint: Endpoint
    method: Callable[..., Any]
    request: RequestType
    done_marker: bool

    @property
    def name(self) -> str:
        return self.endpoint.operation


def import_engine(manifest: ServiceManifest) -> type[Engine]:
    """The class that the manifest's `engine` names, its folder put on the import path. Raises ServiceError."""
    module_name, _, class_name = manifest.service.engine.partition(":")
    folder = str(manifest.folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:  # an author's module may raise anything while it is imported
        raise ServiceError(f"{manifest.service.engine}: cannot be imported: {_told(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise ServiceError(f"{manifest.service.engine}: is not a subclass of nexus.sdk.engine.Engine")
    return found


def bind(manifest: ServiceManifest, engine: Engine) -> dict[str, BoundOperation]:
    """Every operation of the manifest with the engine's method for it, by name. Raises ServiceError."""
    bound: dict[str, BoundOperation] = {}
    for endpoint in manifest.card_endpoints():
        row = BY_NAME.get(endpoint.operation)
        method_name = row.engine_method if row else endpoint.operation.replace(".", "_")
        method = getattr(engine, method_name, None)
        if not callable(method):
            raise ServiceError(f"{manifest.service.engine}: has no method {method_name} for {endpoint.operation}")
        bound[endpoint.operation] = BoundOperation(
            endpoint, method, request_type(method), row.done_marker if row else False
        )
    return bound


def make_engine(engine_class: type[Engine], config: Mapping[str, Any]) -> Engine:
    """An engine with its configuration. Raises ServiceError with whatever its constructor complains about."""
    try:
        return engine_class(config)
    except Exception as error:  # an author's constructor may raise anything
        raise ServiceError(f"{engine_class.__name__}: cannot be made: {_told(error)}") from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
