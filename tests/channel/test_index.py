"""In: a channel that is honest or not. Out: an offer, or a named refusal and nothing changed. Never: the network."""

from __future__ import annotations

from tests.support.channel_rig import ChannelRig


def test_an_honest_channel_is_followed(rig: ChannelRig) -> None:
    with rig.served() as (address, seen):
        first = rig.update(address)
        assert first.pack.manifest.pack_version == 1
        assert len(seen) == 7, seen
        rig.publish(2)
        assert rig.update(address).pack.manifest.pack_version == 2
        assert not rig.check(address).is_newer
    assert rig.shop.store.active().manifest.pack_version == 2
