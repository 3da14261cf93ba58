"""An image that had to be converted for a provider can be seen afterwards."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from orchestrator import app
from orchestrator.clock import SystemClock
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.server import Options, start

CHAIN = """
name: enlarge
inputs:
  photo: {type: string, format: image}
steps:
  enhance:
    uses: perfect/enhance
    with: {image: '${{ inputs.photo }}', scale: 2}
"""


def settings_for(folder: Path, providers: dict[str, Mapping[str, Any]]) -> Settings:
    (folder / "workflows").mkdir()
    (folder / "workflows" / "enlarge.yaml").write_text(CHAIN)
    any_port = Address("127.0.0.1", 0)
    return Settings.model_validate(
        {
            "callbacks": "off",
            "store": f"sqlite:///{folder}/orchestrator.db",
            "artifacts": folder / "artifacts",
            "workflows": folder / "workflows",
            "listen": Listen(public=any_port, admin=any_port),
            "providers": providers,
        }
    )


async def test_what_was_sent_instead_of_the_input_is_an_artifact_in_the_log(tmp_path: Path) -> None:
    picture = BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 128)).save(picture, "WEBP")
    simulated = await start(Options(kinds=("perfect",), latency_s=0.01, limits="off"))
    settings = settings_for(tmp_path, {"perfect": dict(simulated.client_settings("perfect"), rate_limits=[])})

    async with app.build(settings, clock=SystemClock()).running() as server:
        digest = await server.folder.put(picture.getvalue())
        run = (await server.runs.start("enlarge", {"photo": f"artifact:{digest}"})).state.id
        sequence = 0
        while not (await server.runs.get(run)).has_ended:
            await server.store.wait(sequence, 5.0)
            sequence = await server.store.last_sequence()
        records = await server.store.read(run)
    await simulated.stop()

    stored = [orjson.loads(r.data) for r in records if r.type == "artifact.stored"]
    assert [(e["role"], e["artifact"]["media_type"]) for e in stored] == [
        ("input", "image/jpeg"),
        ("result", "image/jpeg"),
    ]
    assert stored[1]["artifact"]["width"] == 128
