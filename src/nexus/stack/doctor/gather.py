"""Reads what a folder says is to run: stack file, site file, nexus.yaml, variables and manifests.

The readers are those of the parts that act on them. What cannot be read is a finding.
"""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from nexus.gateway.config import CONFIG_FILE, read_config
from nexus.gateway.settings import Settings, SettingsError, load_settings
from nexus.gateway.shapes.document import ConfigError
from nexus.sdk.manifest import ServiceManifest, read_manifest
from nexus.sdk.models import manifest_folders, scan_entries
from nexus.sdk.problems import ManifestError
from nexus.stack.config import Stack, StackError, find_stack
from nexus.stack.distribution import running_sdk
from nexus.stack.doctor.values import Finding, Host, Wanted, ok, problem, warning

_DATABASE: Final = "NEXUS_DATABASE_URL"
CheckSite = Callable[[list[ServiceManifest]], str | None]
"""Reads the site file and plans by it: what it is called where all is well, None where there is none."""


class SiteFileError(ValueError):
    """The site file cannot be used; the message is one line."""


def gather(workdir: Path, profiles: Collection[str], check_site: CheckSite) -> tuple[Host, list[Finding]]:
    """What is to run in a folder, and what is wrong with its files. `profiles` are asked for besides the stack's own.

    The process's environment is set to what the gateway of this stack would be given: its settings are read from there.
    """
    state = state_of(workdir)
    found: list[Finding] = []
    stack = Stack()
    try:
        stack = find_stack(workdir, running_sdk().checkout)
        os.environ.update({name: value for name, value in stack.gateway.env.items() if name not in os.environ})
    except StackError as error:
        found.append(problem(str(error), "correct the file"))
    settings = _settings(workdir, found)
    manifests = _manifests(stack, found)
    _check_site(check_site, manifests, found)
    services, others = _sorted(stack, manifests, profiles, found)
    if not any(finding.level == "problem" for finding in found):
        found.insert(0, ok(f"the files can be used; {len(services)} services are to run"))
    given = bool(os.environ.get(_DATABASE) or os.environ.get(f"{_DATABASE}_FILE"))
    return Host(workdir, state, settings, _token(settings, state), given, services, others), found


def state_of(workdir: Path) -> Path:
    """Where `nexus up` and `nexus gateway` keep their state when they are started in `workdir`."""
    return workdir.resolve() / ".nexus"


def _settings(workdir: Path, found: list[Finding]) -> Settings | None:
    try:
        settings = load_settings()
        read_config(settings.config or workdir / CONFIG_FILE)
    except SettingsError as error:
        found.append(problem(str(error), "correct the variable"))
        return None
    except ConfigError as error:
        found.append(problem(str(error), "correct the file; a running gateway goes on with what it read last"))
    return settings


def _manifests(stack: Stack, found: list[Finding]) -> list[ServiceManifest]:
    read = []
    for folder in stack.every_folder():
        try:
            manifest = read_manifest(folder)
        except ManifestError as error:
            found.append(problem(str(error), "correct the file"))
            continue
        read.append(manifest)
        models = scan_entries(manifest_folders(folder, manifest.name, None)).problems
        found += [problem(str(error), "correct the file") for error in models]
    return read


def _check_site(check: CheckSite, manifests: list[ServiceManifest], found: list[Finding]) -> None:
    try:
        name = check(manifests)
    except SiteFileError as error:
        found.append(problem(str(error), "correct the file"))
    else:
        if name is not None:
            found.append(ok(f"{name} can be used"))


def _sorted(
    stack: Stack, manifests: list[ServiceManifest], profiles: Collection[str], found: list[Finding]
) -> tuple[tuple[Wanted, ...], tuple[Wanted, ...]]:
    """Those that are to run, and the others."""
    in_stack = set(stack.folders())
    services, others = [], []
    for manifest in manifests:
        native = manifest.folder in in_stack
        one = _wanted(stack, manifest, native)
        if one.replicas and (native or manifest.deploy.profile in profiles):
            services.append(one)
        else:
            others.append(one)
    known = {manifest.deploy.profile for manifest in manifests}
    for profile in sorted(set(profiles) - known):
        named = ", ".join(sorted(filter(None, known))) or "none"
        found.append(warning(f"no service has the profile {profile}", f"name one of these: {named}"))
    return tuple(services), tuple(others)


def _wanted(stack: Stack, manifest: ServiceManifest, native: bool) -> Wanted:
    override = stack.override(manifest.folder.name)
    env = _given({**override.env, **os.environ}, manifest)
    return Wanted(manifest, override.replicas, override.port, override.extras, env, in_stack=native)


def _given(environ: Mapping[str, str], manifest: ServiceManifest) -> dict[str, str]:
    """Those of the service's own variables that are given, and are no secrets."""
    return {entry.env: environ[entry.env] for entry in manifest.config if entry.env in environ and not entry.secret}


def _token(settings: Settings | None, state: Path) -> str | None:
    """The administrator's token, as far as there is one already."""
    if settings is not None and settings.api_key is not None:
        return settings.api_key.get_secret_value()
    try:
        return (state / "api_key").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
