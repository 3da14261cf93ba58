"""What would let its reader call back in a provider's name, or fetch a file, is nowhere to be read."""

import json
from pathlib import Path
from typing import Any

from orchestrator.tokens import Keyring, unsigned

JOB = "job_01jd0000000000000000000000"
DIGEST = "sha256:" + "0f" * 32


def written(folder: Path) -> bytes:
    """Return what the database holds."""
    return b"".join(path.read_bytes() for path in folder.glob("x.db*"))


async def test_a_token_that_a_provider_and_a_proxy_repeat_is_kept_nowhere(
    serve: Any, pizi: Any, tmp_path: Path
) -> None:
    async with serve(first_check="1h") as server:
        run = await server.begin()
        while not pizi.tasks:
            await server.get(f"/runs/{run}")
        (task,) = pizi.tasks
        assert await pizi.call_back(task) == 200
        assert (await server.ended(run))["status"] == "succeeded"
        job = (await server.get("/jobs"))["items"][0]["id"]
        paths = (f"/runs/{run}", f"/jobs/{job}", f"/runs/{run}/events", "/deliveries")
        shown = json.dumps([await server.get(path) for path in paths])

    token = pizi.tasks[task]["callbackUrl"].rpartition("/")[2]
    tag = token.partition(".")[2]
    assert "X-Original-URI" in shown
    assert f"{job}.[redacted]" in shown
    assert tag not in shown
    assert tag.encode() not in written(tmp_path)


def test_signatures_are_taken_out_of_what_others_say_however_they_spell_it() -> None:
    keyring = Keyring(["k" * 32])
    token, signature = keyring.callback_token("pizi", JOB), keyring.link_signature(DIGEST, 17)
    for ours in (
        f"https://x.example/callbacks/pizi/{token}?uid=",
        token.replace(".", "%2E"),
        f"/artifacts/{DIGEST}?exp=17&sig={signature}",
        f"{DIGEST.replace(':', '%3A')}?exp=17\\u0026sig={signature}",
    ):
        rest = unsigned(f"before {ours} behind".encode()).decode()
        assert token.partition(".")[2] not in rest
        assert signature not in rest
        assert rest.startswith("before ")
        assert rest.endswith(" behind")


def test_signatures_of_others_stay_as_they_are() -> None:
    said = b"https://files.example/a.png?exp=17&sig=" + b"x" * 22 + b" job_7." + b"y" * 22

    assert unsigned(said) is said
