"""The cache volume in the life of a task: taken, mounted, told, released; a fault costs the cache, not the task.

In: the real supervisor and CacheFolder over simulated machines. Out: assertions on facts and orders.
Never: a real disk.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from pui.adapters.qemu.cache_volumes import IN_USE, CacheFolder
from pui.domain import pack_layout
from pui.domain.guest_config import CACHE_ENVIRONMENT, CACHE_PATH
from pui.domain.journal import TaskView
from pui.domain.launch_plan import CACHE_TAG
from pui.domain.task import TaskSpec
from pui.ports import InstalledPack
from pui.resources import load_chart
from pui.supervisor.supervisor import Supervisor
from tests.adapters.test_cache_volumes import TEMPLATE
from tests.stories.test_simulated import FOLDER, SPEC
from tests.support.fake_guest import FakeScript
from tests.support.playbook import check_over
from tests.support.simulated_ports import SimulatedPorts


def with_template(world: SimulatedPorts) -> InstalledPack:
    pack = world.active()
    template = pack.root / pack_layout.CACHE_TEMPLATE
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_bytes(TEMPLATE)
    return pack


def play(world: SimulatedPorts, spec: TaskSpec) -> TaskView:
    async def main() -> TaskView:
        with_template(world)
        services = replace(world.services(), cache_volumes=CacheFolder(world.paths))
        supervisor = Supervisor(services, load_chart("task"), load_chart("agent"))
        task_id = supervisor.create(spec)
        supervisor.trigger(task_id, "start")
        view = await asyncio.wait_for(supervisor.wait(task_id), 20)
        check_over(world.files, task_id, view)
        return view

    return asyncio.run(main())


def mounted(world: SimulatedPorts) -> list[str]:
    return [values["path"][0] for verb, values in world.guest.orders if verb == "mount"]


def test_a_task_with_a_cache_finds_it_and_the_environment_names_it(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript())
    view = play(world, replace(SPEC, cache=True))
    assert view.outcome is not None and view.outcome.result == "completed"
    assert "new, empty" in str(view.facts["cache"])
    assert mounted(world)[0] == CACHE_PATH
    names = {values["name"][0]: values["value"][0] for verb, values in world.guest.orders if verb == "env"}
    assert names["npm_config_cache"] == "/cache/npm"
    assert len(CacheFolder(world.paths).stored()) == 1


def test_a_task_without_one_has_none(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript())
    view = play(world, SPEC)
    assert "cache" not in view.facts and CACHE_PATH not in mounted(world)
    names = {values["name"][0] for verb, values in world.guest.orders if verb == "env"}
    assert names.isdisjoint(CACHE_ENVIRONMENT)
    assert CacheFolder(world.paths).stored() == ()


def test_a_volume_in_use_costs_the_cache_not_the_task(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript())
    with CacheFolder(world.paths).hold(with_template(world), FOLDER):
        view = play(world, replace(SPEC, cache=True))
    assert view.outcome is not None and view.outcome.result == "completed"
    assert view.facts["cache"] == IN_USE and CACHE_PATH not in mounted(world)


def test_a_volume_that_cannot_be_mounted_is_given_up(folder: Path) -> None:
    world = SimulatedPorts(folder, FakeScript(refuses_tags=(CACHE_TAG,)))
    view = play(world, replace(SPEC, cache=True))
    assert view.outcome is not None and view.outcome.result == "completed"
    assert "begins anew" in str(view.facts["cache"])
    assert CacheFolder(world.paths).stored() == ()
