"""The computer sleeps while a task runs, on simulated ports.

In: a simulated clock that is laid down. Out: what the guest is ordered, what the journal and the person are told.
Never: a process, waiting.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pui.supervisor.supervisor import Supervisor
from tests.stories.test_simulated import in_state, play
from tests.support.fake_guest import FakeScript
from tests.support.simulated_ports import SimulatedPorts


def slept(world: SimulatedPorts, seconds: float) -> tuple[Supervisor, list[str]]:
    """A task runs, sleeps, goes on for three looks at the clock, is cancelled: the supervisor, what was told."""
    kept: list[Supervisor] = []
    told: list[str] = []

    def deed(supervisor: Supervisor, world: SimulatedPorts) -> None:
        kept.append(supervisor)
        world.clock.lay_down(seconds)
        supervisor.live("t1").loop_task.get_loop().create_task(go_on(supervisor, world))

    async def go_on(supervisor: Supervisor, world: SimulatedPorts) -> None:
        for _ in range(3):
            await world.clock.advance(5.0)
        told.extend(entry.text for entry in supervisor.live("t1").session.log.before(None, 50).entries)
        supervisor.trigger("t1", "cancel")

    play(world, in_state("running", deed))
    return kept[0], told


@pytest.mark.threat("J6")
def test_after_a_sleep_the_clock_is_set_and_everybody_is_told(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript(stays_busy=True))
    supervisor, told = slept(world, 7200.0)
    clocks = [values["clock_ns"] for verb, values in world.guest.orders if verb == "config"]
    assert len(clocks) == 2
    assert int(clocks[1][0]) - int(clocks[0][0]) == 7205 * 10**9
    assert supervisor.view("t1").facts["slept_ms"] == 7_200_000
    assert told[-1] == "This computer slept for 2 h 00 min."


def test_a_short_nap_is_not_told(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript(stays_busy=True))
    supervisor, _told = slept(world, 0.5)
    assert [verb for verb, _ in world.guest.orders].count("config") == 1
    assert "slept_ms" not in supervisor.view("t1").facts
