"""Settings that point at simulated providers, so that nothing leaves this machine and nothing is paid."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orchestrator
from orchestrator.errors import SettingsError
from orchestrator.providers.perfect.features import FEATURES
from orchestrator.settings import Address, Listen, Settings, connection_tables
from orchestrator.simulators import server as simulators
from orchestrator.simulators.options import Options

SHIPPED = Path(orchestrator.__file__).parent / "workflows"
"""The example workflows that come with the package."""

LOOPBACK = "127.0.0.1"

PRICES: Mapping[str, Mapping[str, Any]] = {
    "pizi": {"create_model": 1, "create_pictures": {"credits": 1, "per": "variants"}},
    "perfect": dict.fromkeys(FEATURES, 1),
    "trypi": {"generate_avatar": 1},
    "pixu": dict.fromkeys(
        ("create_model", "create_model_from_url", "txt2img_strict_portrait", "txt2img_composition"), 1
    ),
}
"""What the simulators charge, of those providers whose answers do not tell it."""


@asynccontextmanager
async def simulated(options: Options, port: int = 0) -> AsyncIterator[simulators.Running]:
    """Run simulators on loopback for as long as the block lasts."""
    running = await simulators.start(options, host=LOOPBACK, port=port)
    try:
        yield running
    finally:
        await running.stop()


def kinds(settings: Settings) -> tuple[str, ...]:
    """
    Return the kinds to simulate: those of the configured connections, all when the examples are used.

    Errors:  SettingsError for a kind that nobody simulates.
    """
    tables = _tables(settings)
    for name, table in tables.items():
        if table["kind"] not in simulators.SIMULATORS:
            known = ", ".join(simulators.SIMULATORS)
            raise SettingsError(
                f"providers.{name}: there is no simulator for the kind '{table['kind']}' (there are: {known})"
            )
    return tuple(dict.fromkeys(str(table["kind"]) for table in tables.values()))


def _tables(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the connections there will be; with the examples, one of each kind's name is among them."""
    tables = connection_tables(settings)
    if tables and settings.workflows.exists():
        return tables
    return tables | {kind: {"kind": kind} for kind in simulators.SIMULATORS if kind not in tables}


def pointed_at(settings: Settings, running: simulators.Running, data: Path) -> Settings:
    """
    Return *settings* with every connection at its simulator and everything kept below *data*.

    The workflows folder stays where it is; where there is none, the shipped examples take its place, and
    the connections that they use are there too.
    """
    providers = {name: _simulated(table, running) for name, table in _tables(settings).items()}
    listen = _numbered(settings.listen)
    public = listen.public
    host = LOOPBACK if public.host in ("0.0.0.0", "::") else public.host
    return settings.model_copy(
        update={
            "public_url": f"http://{f'[{host}]' if ':' in host else host}:{public.port}",
            "callbacks": "on",
            "listen": listen,
            "store": f"sqlite:///{data / 'orchestrator.db'}",
            "artifacts": data / "artifacts",
            "workflows": settings.workflows if settings.workflows.exists() else SHIPPED,
            "providers": providers,
        }
    )


def _numbered(listen: Listen) -> Listen:
    """Return *listen* with ports where any free one would do: callback URLs are made before it is bound."""
    ports = iter(free_ports(2))
    addresses = {"public": listen.public, "admin": listen.admin}
    chosen = {name: Address(each.host, each.port or next(ports)) for name, each in addresses.items()}
    return listen.model_copy(update=chosen)


def priced(settings: Settings) -> Settings:
    """Return *settings* with what the simulators charge, where they do not say what a provider does."""
    tables = _tables(settings)
    return settings.model_copy(update={"providers": {name: _priced(t) for name, t in tables.items()}})


def _priced(table: dict[str, Any]) -> dict[str, Any]:
    kind = str(table["kind"])
    return ({"prices": dict(PRICES[kind])} if kind in PRICES else {}) | table


def _simulated(table: dict[str, Any], running: simulators.Running) -> dict[str, Any]:
    # The simulators have their provider's own paths, whatever else is configured.
    own = {key: value for key, value in _priced(table).items() if key != "paths"}
    return own | running.client_settings(str(table["kind"]))


def free_ports(count: int) -> Sequence[int]:
    """Return ports on loopback that nobody listened on a moment ago."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
