"""Makes the parts that answer calls later, and joins them with the request path."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.together import Together
from nexus.gateway.artifacts import publish
from nexus.gateway.background.bell import Bell
from nexus.gateway.background.desk import Desk, Places
from nexus.gateway.background.runner import Runner
from nexus.gateway.background.tally import Tally
from nexus.gateway.config import ConfigFile
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.edge.auth import ADMINISTRATOR
from nexus.gateway.health.health import Health
from nexus.gateway.inference import Inference
from nexus.gateway.pictures import Pictures
from nexus.gateway.plan.standing import Ruled, There
from nexus.gateway.queue.turns import Turns
from nexus.gateway.references import References
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.settings import Settings
from nexus.gateway.siding import Siding
from nexus.gateway.storage import Store
from nexus.gateway.values import Outcome, Timeouts
from nexus.gateway.views import Views
from nexus.jobs.rules import JobRules
from nexus.policies.token import Bearer


@dataclass(frozen=True, slots=True)
class RequestPath:
    """The parts of the request path that clients' calls and jobs' runs both go through."""

    views: Views
    in_flight: Callable[[str], int]
    gate: Gate
    dispatcher: Dispatcher
    record: Callable[[Outcome], None]
    there: There
    ruled: Ruled
    health: Health
    turns: Turns
    together: Together | None = None

    def story(self, timeouts: Callable[[str, str | None], Timeouts], siding: Siding) -> Inference:
        """The story told over these parts; `timeouts` are those for an operation and a model."""
        return Inference(
            there=self.there,
            view=self.views.of,
            timeouts=timeouts,
            in_flight=self.in_flight,
            gate=self.gate,
            dispatcher=self.dispatcher,
            record=self.record,
            siding=siding,
            ruled=self.ruled,
            health=self.health,
            turns=self.turns,
            together=self.together,
        )


@dataclass(frozen=True, slots=True)
class Background:
    """`desk` takes and tells of jobs, `runner` runs them, `siding` is where the request path hands them over, `tally`
    counts them for the metrics."""

    desk: Desk
    runner: Runner
    siding: Siding
    tally: Tally


def create_background(
    path: RequestPath, store: Store, configuration: ConfigFile, settings: Settings, bearer: Callable[[str], Bearer]
) -> Background:
    """The parts, joined; `bearer` tells who goes by a name now. `runner.run()` brings them to life."""
    bell = Bell()

    def rules() -> JobRules:
        return configuration.config.jobs

    def timeouts(operation: str, model: str | None) -> Timeouts:
        return configuration.config.job_timeouts_for(operation, model)

    def stop(identity: str) -> None:
        runner.stop(identity)  # made last, as its stories may want the desk

    desk = Desk(store, Places(path.views.of, rules, time.time), bell, stop)
    pictures = Pictures(
        lambda token, job, media_type, filename, body: publish(
            store,
            token=token,
            media_type=media_type,
            body=body,
            filename=filename,
            job=job,
            job_kept=rules().keep,
        )
    )
    siding = Siding(desk, References(store, ADMINISTRATOR), pictures, base_url(settings))
    story = path.story(timeouts, siding).serve
    runner = Runner(
        store, path.views.whole, path.in_flight, path.turns, rules, story, bearer, Fetcher(Resolver()), bell
    )
    return Background(desk, runner, siding, Tally(store, runner.running))


def base_url(settings: Settings) -> Callable[[bytes], str]:
    """How clients reach the gateway: as it was told, else as the Host header of their request says."""
    scheme = "https" if settings.tls_cert else "http"

    def tell(host: bytes) -> str:
        return settings.public_url or f"{scheme}://{host.decode('latin-1')}"

    return tell
