"""The order of the examination: what later checks need comes first."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from orchestrator import app, telemetry
from orchestrator.doctor import outside, public
from orchestrator.errors import SettingsError, StoreInUse, StoreUnavailable
from orchestrator.operations import checkup, workflows
from orchestrator.operations.checkup import Finding
from orchestrator.operations.plans import catalog
from orchestrator.providers.base import Connector
from orchestrator.settings import Settings, callback_base, ensure_secret_keys, load
from orchestrator.store.sqlite import inspect
from orchestrator.tokens import Keyring

_MEND = "mend it in the file or the environment; deploy/orchestrator.example.toml shows every setting"


def diagnose(config: Path | None, environ: Mapping[str, str], *, online: bool) -> list[Finding]:
    """
    Return what was found, in the order in which it was looked at.

    *online*: providers and the public address are asked too.
    """
    findings = [checkup.sqlite_version(sqlite3.sqlite_version_info)]
    try:
        settings = load(config, environ)
    except SettingsError as error:
        return findings + _wrong("configuration", error)
    connectors: Mapping[str, Connector] | None = None
    try:
        connectors = app.connect(settings)
        findings.append(_configuration(connectors))
    except SettingsError as error:
        # Folders and the store can be looked at all the same.
        findings += _wrong("configuration", error)
    return findings + asyncio.run(_examine(settings, connectors, online=online))


async def _examine(
    settings: Settings, connectors: Mapping[str, Connector] | None, *, online: bool
) -> list[Finding]:
    keyring, keys = _keys(settings)
    findings = [
        keys,
        await _store(settings),
        checkup.folder("data folder", settings.data_folder, settings.min_free_disk),
        checkup.folder("artifacts", settings.artifacts, settings.min_free_disk),
        checkup.retention(settings.retention.runs, settings.retention.artifacts),
    ]
    if connectors is not None:
        telemetry.redact(s.get_secret_value() for c in connectors.values() for s in c.secrets())
        telemetry.redact(secret.get_secret_value() for secret in settings.secrets.values())
        secrets = workflows.known_secrets(settings.secrets)
        found = workflows.read([settings.workflows], catalog(connectors), secrets)
        findings += checkup.workflows(found) + checkup.triggers(found)
        if online:
            findings.append(await outside.clock(connectors))
            findings += await outside.credentials(connectors, settings)
    return findings + await _public_url(settings, keyring, online=online)


async def _public_url(settings: Settings, keyring: Keyring, *, online: bool) -> list[Finding]:
    try:
        address = callback_base(settings)
    except SettingsError as error:
        return _wrong("public_url", error)
    if address is None:
        message = "callbacks are off: results are learned by asking alone"
        return [Finding("public_url", True, message)]
    return await public.reached(settings, address, keyring) if online else []


def _configuration(connectors: Mapping[str, Connector]) -> Finding:
    if connectors:
        return Finding("configuration", True, f"connections: {', '.join(connectors)}")
    return Finding("configuration", None, "no connections", "describe one as [providers.<name>]")


def _keys(settings: Settings) -> tuple[Keyring, Finding]:
    """Return the keys; where there are none yet, some that nobody will ever use: making them is not ours."""
    path = settings.data_folder / "secret_keys"
    if not settings.secret_keys and not path.exists():
        return Keyring(["a key for this examination"]), Finding(
            "secret keys", True, "one will be made in the data folder at the first start"
        )
    try:
        return Keyring(ensure_secret_keys(settings)), Finding("secret keys", True, "there, and readable")
    except SettingsError as error:
        advice = "call the doctor as the user that the server runs as"
        return Keyring(["a key for this examination"]), Finding("secret keys", False, str(error), advice)


async def _store(settings: Settings) -> Finding:
    path = settings.store_path
    try:
        found = inspect(path)
    except StoreInUse:
        return await outside.server(settings)
    except StoreUnavailable as error:
        return Finding("store", False, str(error), "nothing was changed; see the message for the way out")
    if found.migration is None:
        return Finding("store", True, f"{path} will be made at the first start")
    if found.migration < found.newest:
        message = f"{path} will be brought from version {found.migration} to {found.newest} at the next start"
        return Finding("store", None, message, "make a backup before the upgrade")
    return Finding("store", True, f"{path} can be opened, and nobody uses it")


def _wrong(check: str, error: SettingsError) -> list[Finding]:
    """Return a finding for each problem of the settings."""
    return [Finding(check, False, line, _MEND) for line in str(error).splitlines()]
