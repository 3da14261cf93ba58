"""Which runs a start finds in the middle of something, read before the server opens its database."""

from pathlib import Path

from orchestrator.definition.workflow import CORE
from orchestrator.store.sqlite import copying, histories, migrations


def at_providers(path: Path) -> list[str]:
    """
    Return the runs of which a provider has a task, or may have one; none where there is no database yet.

    Errors:  StoreUnavailable.
    """
    if not path.exists():
        return []
    with copying.opened(path) as db:
        return histories.at_providers(db, CORE) if migrations.applied(db) else []
