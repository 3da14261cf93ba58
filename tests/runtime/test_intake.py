"""Acknowledging goes before processing: the intake knows a storm of callbacks when it sees one."""

import asyncio

from orchestrator.runtime.intake import STORM, _Weather


class Moments(asyncio.SelectorEventLoop):
    """A loop whose time is said by the test."""

    at = 0.0

    def time(self) -> float:
        return self.at


def weather(moments: Moments) -> _Weather:
    asyncio.set_event_loop(moments)

    async def here() -> _Weather:
        return _Weather()

    return moments.run_until_complete(here())


def test_many_deliveries_in_a_tenth_of_a_second_are_a_storm_until_a_tenth_after_it() -> None:
    moments = Moments()
    seen = weather(moments)

    seen.note(STORM)
    assert not seen.is_stormy()
    seen.note(1)
    assert seen.is_stormy()

    moments.at = 0.15
    assert seen.is_stormy()
    moments.at = 0.25
    assert not seen.is_stormy()
    moments.close()


def test_a_steady_stream_of_callbacks_is_no_storm() -> None:
    moments = Moments()
    seen = weather(moments)

    stormy = []
    for tenth in range(20):
        moments.at = tenth / 10 + 0.05
        seen.note(STORM // 2)
        stormy.append(seen.is_stormy())

    assert not any(stormy)
    moments.close()
