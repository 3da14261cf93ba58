"""`POST /prune`: what was removed is told, and what makes no sense is refused."""

from typing import Any

import pytest

from orchestrator.engine.triggers import CallbackArrived
from orchestrator.outcomes import Callback
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore


async def test_what_would_be_removed_is_told(client: Any) -> None:
    answer = await client.post("/api/v1/prune", json={"older_than": "90d", "dry_run": True})

    assert answer.status == 200
    assert await answer.json() == {
        "dry_run": True,
        "runs": 0,
        "events": 0,
        "jobs": 0,
        "deliveries": 0,
        "artifacts": 0,
        "artifact_bytes": 0,
        "database_bytes": None,
    }


async def test_a_body_is_not_needed(client: Any) -> None:
    answer = await client.post("/api/v1/prune")

    assert (await answer.json())["dry_run"] is False


@pytest.mark.parametrize("body", [{"older_than": "soon"}, {"older_than": 90}, {"runs": "90d"}])
async def test_what_makes_no_sense_is_refused(client: Any, body: dict[str, Any]) -> None:
    assert (await client.post("/api/v1/prune", json=body)).status == 422


async def test_what_comes_for_a_run_that_was_pruned_is_late(worker: Worker, store: SqliteStore) -> None:
    delivery = Delivery(
        id="dlv_1",
        job="job_1",
        connection="pizi",
        received_at=1,
        method="POST",
        query="",
        headers=b"[]",
        content_type="text/plain",
        body=b"",
        size=0,
        remote="",
    )
    await store.put(delivery)
    callback = Callback("POST", "", "text/plain", b"")

    worker.post("run_gone", CallbackArrived, job="job_1", delivery="dlv_1", digest="d", callback=callback)
    await worker.settled()

    settled = await store.get("dlv_1")
    assert settled is not None
    assert (settled.verdict, settled.error) == ("late", "its run is not kept any more")
