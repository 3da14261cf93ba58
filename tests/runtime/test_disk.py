"""With a disk that is nearly full nothing is submitted, and it goes on by itself when there is room."""

from pathlib import Path

from pydantic import SecretStr

from orchestrator.clock import SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.disk import DiskWatch, free_bytes
from orchestrator.runtime.limits import Limits

GB = 10**9


class Disks:
    """How much is free where, as a test says."""

    def __init__(self) -> None:
        self.free = {"data": 5 * GB, "files": 5 * GB}
        self.cleared = 0
        self.refusal: str | None = None
        connectors = {"pizi": connect(PiziSettings(api_key=SecretStr("x"), rate_limits=[], max_in_flight=3))}
        self.limits = Limits(connectors, SystemClock())
        self.limits.queue("pizi", False)

    def watch(self, least: int = GB) -> DiskWatch:
        places = {"database": Path("data"), "artifacts": Path("files")}
        return DiskWatch(
            places, least, self.limits, self._clear, self.check, free=lambda path: self.free[path.name]
        )

    async def check(self) -> None:
        """Fail as a folder does that takes no files."""
        if self.refusal is not None:
            raise StoreUnavailable(self.refusal)

    def _clear(self) -> None:
        self.cleared += 1


async def test_while_a_disk_is_nearly_full_nothing_may_be_submitted() -> None:
    disks = Disks()
    watch = disks.watch()
    await watch.look()
    assert (disks.limits.free("pizi"), disks.limits.room()) == (3, {"pizi": 3})

    disks.free["files"] = GB // 2
    await watch.look()

    assert (disks.limits.free("pizi"), disks.limits.room()) == (0, {})
    assert watch.shortage is not None
    assert "disk of the artifacts (files) has 0.50 GB free" in watch.shortage
    assert disks.limits.is_stopped("pizi", since=0), "what was being prepared must not be sent"


async def test_submits_go_on_when_there_is_room_again_and_in_their_order() -> None:
    disks = Disks()
    watch = disks.watch()
    disks.free["data"] = 0
    await watch.look()

    disks.free["data"] = GB
    await watch.look()
    await watch.look()

    assert watch.shortage is None
    assert disks.limits.free("pizi") == 3
    assert disks.limits.room() == {}, "those that have waited go first"
    assert disks.cleared == 1


async def test_zero_means_that_any_room_is_enough() -> None:
    disks = Disks()
    disks.free["data"] = 0

    watch = disks.watch(least=0)
    await watch.look()

    assert watch.shortage is None


async def test_while_no_file_can_be_kept_nothing_may_be_submitted_however_much_is_free() -> None:
    disks = Disks()
    watch = disks.watch(least=0)
    disks.refusal = "the artifacts folder refuses: Read-only file system"
    await watch.look()

    assert watch.shortage is not None
    assert watch.shortage.startswith(disks.refusal)
    assert disks.limits.free("pizi") == 0

    disks.refusal = None
    await watch.look()

    assert disks.limits.shortage is None
    assert disks.cleared == 1


async def test_a_disk_that_cannot_be_asked_is_left_to_those_who_write_to_it() -> None:
    disks = Disks()

    def broken(path: Path) -> int:
        raise OSError(5, "Input/output error")

    places = {"database": Path("data")}
    watch = DiskWatch(places, GB, disks.limits, lambda: None, disks.check, free=broken)
    await watch.look()

    assert watch.shortage is None


def test_a_real_disk_tells_how_much_is_free(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
