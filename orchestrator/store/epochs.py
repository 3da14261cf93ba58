"""Whether the store comes from a backup, and knows less than the world."""

from typing import Protocol

from orchestrator.store.rows import Epoch


class Epochs(Protocol):
    """A restore begins an epoch; a server takes it up before it does anything else."""

    async def open_epoch(self) -> Epoch | None:
        """Return the epoch that no server has taken up yet, if there is one."""
        ...

    async def take_up_epoch(self) -> None:
        """Note that every job of which the store may know too little is uncertain now."""
        ...
