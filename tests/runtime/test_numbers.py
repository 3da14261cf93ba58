"""Request numbers of connections that have their credentials in common."""

from io import BytesIO
from pathlib import Path

import orjson
from PIL import Image

from orchestrator import app
from orchestrator.clock import SystemClock
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.server import Options, start

TWO = """
name: two
inputs:
  photo: {type: string, format: image}
steps:
  one: {uses: perfect/colorize, with: {image: '${{ inputs.photo }}'}}
  other: {uses: second/colorize, with: {image: '${{ inputs.photo }}'}}
"""


def settings_for(folder: Path, account: dict[str, object]) -> Settings:
    (folder / "workflows").mkdir(exist_ok=True)
    (folder / "workflows" / "two.yaml").write_text(TWO)
    any_port = Address("127.0.0.1", 0)
    first = {**account, "rate_limits": [], "request_id_start": 5}
    return Settings.model_validate(
        {
            "callbacks": "off",
            "store": f"sqlite:///{folder}/orchestrator.db",
            "artifacts": folder / "artifacts",
            "workflows": folder / "workflows",
            "listen": Listen(public=any_port, admin=any_port),
            "providers": {"perfect": first, "second": {**first, "kind": "perfect"}},
        }
    )


async def numbers_of_a_run(settings: Settings) -> list[int]:
    picture = BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "PNG")
    async with app.build(settings, clock=SystemClock()).running() as server:
        digest = await server.folder.put(picture.getvalue())
        run = (await server.runs.start("two", {"photo": f"artifact:{digest}"})).state.id
        sequence = 0
        while not (state := await server.runs.get(run)).has_ended:
            await server.store.wait(sequence, 5.0)
            sequence = await server.store.last_sequence()
        records = await server.store.read(run)
    assert state.status == "succeeded"
    return [orjson.loads(record.data)["number"] for record in records if record.type == "job.submitting"]


async def test_connections_with_the_same_credentials_take_their_numbers_from_one_counter(
    tmp_path: Path,
) -> None:
    simulated = await start(Options(kinds=("perfect",), latency_s=0.01, limits="off"))
    settings = settings_for(tmp_path, dict(simulated.client_settings("perfect")))

    before = await numbers_of_a_run(settings)
    after_a_restart = await numbers_of_a_run(settings)
    await simulated.stop()

    assert sorted(before) == [5, 6]
    assert sorted(after_a_restart) == [7, 8]
