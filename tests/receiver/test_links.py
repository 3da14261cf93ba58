"""Signed links to artifacts, as providers fetch them: whole, in parts, and never damaged."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.artifacts.links import signed_links
from orchestrator.clock import SystemClock
from orchestrator.tokens import Keyring

BYTES = b"\x89PNG\r\n\x1a\n and more"


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    folder = Folder(tmp_path / "artifacts")
    yield folder
    await folder.close()


@pytest.fixture
async def linked(make_public: Callable[..., Any], folder: Folder) -> Any:
    """A public listener that gives what is in the folder."""
    # The same keys as those of the listener.
    keyring = Keyring(["new" * 10, "old" * 10])
    return await make_public(artifact_handler=signed_links(folder, keyring, SystemClock()))


def link(public: Any, digest: str, *, after_s: int = 60) -> str:
    exp = int(time.time()) + after_s
    return f"/artifacts/{digest}?exp={exp}&sig={public.keyring.link_signature(digest, exp)}"


async def test_a_link_gives_the_bytes_whole_or_in_part(linked: Any, folder: Folder) -> None:
    path = link(linked, await folder.put(BYTES))

    whole = await linked.ask("GET", path)
    head = await linked.ask("HEAD", path)
    part = await linked.ask("GET", path, headers=("Range: bytes=1-3",))

    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, BYTES, "image/png")
    assert (head.status, head.headers["content-length"]) == (200, str(len(BYTES)))
    assert (part.status, part.body) == (206, b"PNG")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nobody_is_given_damaged_bytes(linked: Any, folder: Folder, method: str) -> None:
    digest = await folder.put(BYTES)
    folder.path(digest).write_bytes(BYTES[:-1] + b"!")

    whole = await linked.ask(method, link(linked, digest))
    part = await linked.ask(method, link(linked, digest), headers=("Range: bytes=1-3",))

    assert (whole.status, part.status) == (500, 500)
    if method == "GET":
        assert whole.body == part.body == b'{"error":"the bytes of %s are damaged"}' % digest.encode()
    reject = linked.receiver.rejects[-1]
    assert (reject.reason, reject.query) == ("link", "")
    assert digest in reject.detail

    await folder.put(BYTES)
    assert (await linked.ask(method, link(linked, digest))).status == 200


async def test_while_the_folder_is_away_a_provider_is_asked_to_come_again(
    linked: Any, folder: Folder, tmp_path: Path
) -> None:
    path = link(linked, await folder.put(BYTES))
    (tmp_path / "artifacts").rename(tmp_path / "away")

    away = await linked.ask("GET", path)
    (tmp_path / "away").rename(tmp_path / "artifacts")

    assert (away.status, away.headers["retry-after"]) == (503, "5")
    assert (await linked.ask("GET", path)).status == 200


async def test_links_that_are_forged_too_old_or_lead_nowhere_are_refused(linked: Any, folder: Folder) -> None:
    digest = await folder.put(BYTES)

    assert (await linked.ask("GET", link(linked, digest) + "x")).status == 404
    assert (await linked.ask("GET", link(linked, digest, after_s=-1))).status == 410
    assert (await linked.ask("GET", link(linked, "sha256:" + "0" * 64))).status == 404
    assert (await linked.ask("GET", f"/artifacts/{digest}")).status == 404
