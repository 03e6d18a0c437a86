"""A channel that knows of holes in earlier packs: the app's own floor rises, and never sinks again.

In: signed floors. Out: the floor outside the cache; words of insistence for a way back below it.
Never: a floor that a channel lowers, or one that nothing on offer reaches.
"""

from __future__ import annotations

import pytest

from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.slots import read_floors
from pui.domain.channel import FLOORS_FIELD
from pui.domain.errors import PuiError
from pui.domain.pack_life import words_of_insistence
from tests.support.channel_forger import Forger, signer_of
from tests.support.channel_rig import ChannelRig
from tests.support.pack_simulator import PackSim

PLATFORM = "linux-x86_64"


def floor_of(rig: ChannelRig) -> int:
    return read_floors(rig.shop.paths.security_floor).get(PLATFORM, 0)


def raised(rig: ChannelRig, address: str, version: int) -> int:
    rig.publish_packs(floors={PLATFORM: version})
    rig.check(address)
    return floor_of(rig)


def test_the_floor_rises_and_never_sinks(rig: ChannelRig) -> None:
    rig.publish(3)
    with rig.served() as (address, _):
        rig.check(address)
        assert floor_of(rig) == 0
        assert raised(rig, address, 2) == 2
        assert "packs before version 2 have known holes" in rig.told[-1]
        rig.check(address)
        assert len(rig.told) == 1, "told once"
        forger = Forger(rig)
        forger.targets.signed.unrecognized_fields[FLOORS_FIELD] = {PLATFORM: 1}
        forger.save(signer_of(rig, "targets"))
        rig.check(address)
        assert floor_of(rig) == 2
        rig.forget_cache()
        rig.check(address)
    assert floor_of(rig) == 2


def test_going_back_below_it_needs_the_words(rig: ChannelRig) -> None:
    life = rig.shop.life()
    rig.shop.install_living(PackSim(version=1))
    life.proven(rig.shop.paths.active_pack.read_text().strip())
    rig.shop.install_living(PackSim(version=2))
    rig.publish(2)
    with rig.served() as (address, _):
        raised(rig, address, 2)
    with pytest.raises(PuiError, match=r"pack\.rollback.*below the security floor 2"):
        life.roll_back()
    assert life.roll_back(words_of_insistence(1))[0].startswith(f"{PLATFORM}-1-")


def test_another_platform_is_none_of_ours(rig: ChannelRig) -> None:
    forger = Forger(rig)
    forger.targets.signed.unrecognized_fields[FLOORS_FIELD] = {"macos-arm64": 7}
    forger.save(signer_of(rig, "targets"))
    with rig.served() as (address, _):
        rig.check(address)
    assert floor_of(rig) == 0


SHAPES = [[], "2", {PLATFORM: "2"}, {PLATFORM: -1}, {PLATFORM: True}, {PLATFORM: 2**60}, {"../x": 2}, {PLATFORM: 2}]


@pytest.mark.parametrize("value", SHAPES, ids=[*(str(shape) for shape in SHAPES[:-1]), "above-the-newest"])
def test_b12_floors_of_wrong_shapes(rig: ChannelRig, value: object) -> None:
    forger = Forger(rig)
    forger.targets.signed.unrecognized_fields[FLOORS_FIELD] = value
    forger.save(signer_of(rig, "targets"))
    with rig.served() as (address, _), pytest.raises(PuiError, match=r"index\.malformed"):
        rig.check(address)
    assert floor_of(rig) == 0


def test_while_packs_are_changed_the_check_can_be_repeated(rig: ChannelRig) -> None:
    """A floor is not passed over in silence: nothing of the check is remembered then."""
    rig.shop.install(PackSim(version=1))
    rig.publish_packs(floors={PLATFORM: 1})
    with rig.served() as (address, _):
        with (
            installer_lock(rig.shop.paths.install_lock, 0.0),
            pytest.raises(PuiError, match=r"pack\.in_use"),
        ):
            rig.check(address)
        assert not rig.shop.paths.channel_state.exists()
        rig.check(address)
    assert floor_of(rig) == 1


def test_what_a_publisher_may_say(rig: ChannelRig) -> None:
    rig.publish(3)
    rig.publish_packs(floors={PLATFORM: 2})
    for floors, why in (
        ({PLATFORM: 1}, "is 2 already"),
        ({PLATFORM: 4}, "offers no pack"),
        ({"macos-arm64": 1}, "offers no pack"),
    ):
        with pytest.raises(PuiError, match=rf"caller\.rejected.*{why}"):
            rig.publish_packs(floors=floors)
    rig.publish(4)
    assert Forger(rig).targets.signed.unrecognized_fields[FLOORS_FIELD] == {PLATFORM: 2}, "later publications keep it"
