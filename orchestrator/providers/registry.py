"""Which kinds of provider there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.providers import perfect, pixu, pixza, pizi, trypi
from orchestrator.providers.base import ConnectionSettings, Connector


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One provider: what a connection to it may set, and how a connector is made from that.

    *connect* takes an instance of *settings*.
    """

    name: str
    settings: type[ConnectionSettings]
    connect: Callable[[Any], Connector]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("perfect", perfect.PerfectSettings, perfect.connect),
            Kind("pixu", pixu.PixuSettings, pixu.connect),
            Kind("pixza", pixza.PixzaSettings, pixza.connect),
            Kind("pizi", pizi.PiziSettings, pizi.connect),
            Kind("trypi", trypi.TrypiSettings, trypi.connect),
        )
    }
)
"""Every kind by its name, which is also what `kind` in a connection's settings says."""
