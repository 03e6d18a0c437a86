"""In: roots, pointers, floors and times as bytes or values. Out: what they mean, or a named refusal. Never: I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.channel import (
    ChannelState,
    Newest,
    Pace,
    check_clock,
    check_floor,
    check_issued,
    check_seen,
    parse_newest,
    parse_security_floors,
    parse_state,
    parse_time,
    release_keys,
    render_newest,
    render_state,
    root_version,
)
from pui.domain.errors import PuiError, SetupError
from pui.domain.trust import KeyGroup, verify_by_groups
from tests.support.pack_simulator import KEY, PackSim, SimKey

OTHER, THIRD = SimKey(2), SimKey(3)
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def root_of(*keys: SimKey, threshold: int = 1, **changes: Any) -> bytes:
    known = {
        f"id{n}": {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": key.raw.hex()}}
        for n, key in enumerate(keys)
    }
    signed = {
        "_type": "root",
        "version": 1,
        "keys": known,
        "roles": {"targets": {"keyids": list(known), "threshold": threshold}},
    }
    return json.dumps({"signed": signed | changes, "signatures": []}).encode()


def test_release_keys_are_those_of_the_targets_role() -> None:
    group = release_keys(root_of(KEY, OTHER, threshold=2))
    assert [key.keyid for key in group.keys] == [KEY.keyid, OTHER.keyid]
    assert group.threshold == 2
    assert root_version(root_of(KEY, version=7)) == 7


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        root_of(),
        root_of(KEY, threshold=2),
        root_of(KEY, KEY, threshold=2),
        root_of(KEY, threshold=0),
        root_of(KEY, _type="targets"),
        root_of(KEY, version=0),
        root_of(KEY, version=True),
        root_of(KEY, keys={}),
        root_of(KEY, keys={"id0": {"keytype": "rsa", "keyval": {"public": "x"}}}),
        root_of(KEY, keys={"id0": {"keytype": "ed25519", "keyval": {"public": "AB" * 32}}}),
        root_of(KEY, keys={"id0": {"keytype": "rsa", "keyval": {"public": KEY.raw.hex()}}}),
        root_of(KEY, keys={"id0": {"keytype": "ed25519", "keyval": {"public": 7}}}),
        root_of(KEY, keys={"id0": {"keytype": "ed25519", "keyval": {"public": None}}}),
        root_of(KEY, roles={"targets": {"keyids": {"id0": 1}, "threshold": 1}}),
        root_of(KEY, roles={"targets": {"keyids": "id0", "threshold": 1}}),
        root_of(KEY, roles={"targets": {"keyids": ["id0"], "threshold": "1"}}),
        root_of(KEY, roles={"targets": {"keyids": ["id0"], "threshold": None}}),
        root_of(KEY, version="1"),
        root_of(KEY, roles={"targets": {"keyids": [["id0"]], "threshold": 1}}),
        root_of(*[SimKey(n) for n in range(1, 20)]),
    ],
)
def test_a_root_that_names_no_usable_keys(data: bytes) -> None:
    with pytest.raises(SetupError, match=r"index\.malformed"):
        release_keys(data)


def groups() -> list[KeyGroup]:
    return [KeyGroup((KEY.trusted(),)), KeyGroup((OTHER.trusted(), THIRD.trusted()), 2)]


@pytest.mark.parametrize("signers", [[KEY], [OTHER, THIRD], [KEY, OTHER]])
def test_one_group_must_sign_with_enough_keys(signers: list[SimKey]) -> None:
    assert verify_by_groups(PackSim(keys=signers).build().envelope, groups()).manifest.pack_version == 1


@pytest.mark.parametrize("signers", [[], [OTHER], [THIRD], [OTHER, OTHER], [SimKey(8)], [SimKey(8), OTHER]])
def test_signatures_of_different_groups_never_add_up(signers: list[SimKey]) -> None:
    split = [KeyGroup((OTHER.trusted(), KEY.trusted()), 2), KeyGroup((THIRD.trusted(), KEY.trusted()), 2)]
    for chosen in (groups(), split, []):
        with pytest.raises(SetupError, match=r"pack\.untrusted"):
            verify_by_groups(PackSim(keys=signers).build().envelope, chosen)
    with pytest.raises(SetupError, match=r"pack\.untrusted: 1 good signatures .* 2 needed"):
        verify_by_groups(PackSim(keys=[OTHER, THIRD]).build().envelope, split)


def test_a_pointer_comes_back_as_it_was() -> None:
    newest = Newest("linux-x86_64", 3, "a-3.envelope.json")
    assert parse_newest(render_newest(newest), "linux-x86_64") == newest
    with pytest.raises(SetupError, match=r"index\.malformed"):
        parse_newest(render_newest(newest), "linux-aarch64")
    with pytest.raises(SetupError, match=r"index\.malformed"):
        parse_newest(render_newest(Newest("linux-x86_64", 3, "../a.envelope.json")), "linux-x86_64")


keys = st.sampled_from([KeyGroup((KEY.trusted(),)), KeyGroup((OTHER.trusted(), THIRD.trusted()))])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 2**50), keys, st.integers(0, 10**8)), max_size=8))
def test_the_floors_only_rise_while_the_keys_stay(steps: list[tuple[int, KeyGroup, int]]) -> None:
    state = ChannelState()
    for version, group, after_s in steps:
        before = state.seen_version("linux-x86_64", group)
        state = state.after("linux-x86_64", version, group, NOW + timedelta(seconds=after_s))
        assert parse_state(render_state(state)) == state
        assert state.seen_version("linux-x86_64", group) == max(before, version)
        check_seen(Newest("linux-x86_64", max(before, version), "x"), state, group)
        with pytest.raises(SetupError, match=r"index\.rollback"):
            check_seen(Newest("linux-x86_64", max(before, version) - 1, "x"), state, group)
    if steps:
        assert state.issued == NOW + timedelta(seconds=max(after_s for _, _, after_s in steps))


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda x: json.dumps(x).encode()
    )
)
@settings(max_examples=50)
def test_no_bytes_surprise_a_reader(data: bytes) -> None:
    for reader in (release_keys, root_version, parse_state, lambda found: parse_newest(found, "linux-x86_64")):
        with pytest.raises(PuiError):
            reader(data)


def test_clock_and_signing_time() -> None:
    day = timedelta(days=1)
    check_clock(NOW, None, NOW, NOW + day)
    with pytest.raises(SetupError, match=r"index\.clock"):
        check_clock(NOW, NOW + day + timedelta(seconds=1))
    seen = ChannelState(issued=NOW)
    check_issued(NOW, NOW, seen)
    check_issued(None, NOW, seen)
    with pytest.raises(SetupError, match=r"index\.rollback"):
        check_issued(NOW - timedelta(seconds=1), NOW, seen)
    with pytest.raises(SetupError, match=r"index\.clock"):
        check_issued(NOW + 2 * day, NOW, seen)


@pytest.mark.parametrize("value", [None, 5, "", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00+00:00"])
def test_times_of_another_form(value: Any) -> None:
    with pytest.raises(SetupError, match=r"index\.malformed"):
        parse_time(value)


def test_rate_and_time_left() -> None:
    pace = Pace(window_s=10)
    assert pace.bytes_per_s is None
    for second in range(100):
        pace.add(float(second), second * (10 if second < 50 else 100))
    assert pace.bytes_per_s == 100
    assert pace.left_s(9900 + 1000) == 10
    stuck = Pace()
    stuck.add(0.0, 5)
    stuck.add(0.0, 5)
    assert stuck.left_s(10) is None


GOOD = {"schema": "pui-channel-newest-1", "platform": "linux-x86_64", "pack_version": 3, "envelope": "a.envelope.json"}


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "pui-channel-newest-2"},
        {"schema": None},
        {"platform": "linux-aarch64"},
        {"envelope": 7},
        {"envelope": None},
        {"envelope": ["a.envelope.json"]},
        {"envelope": "a.json"},
        {"envelope": "a/b.envelope.json"},
        {"pack_version": "3"},
        {"pack_version": None},
        {"pack_version": [3]},
        {"pack_version": True},
        {"pack_version": 0},
        {"pack_version": 2**53},
    ],
)
def test_b12_a_pointer_with_a_wrong_value(change: dict[str, Any]) -> None:
    assert parse_newest(json.dumps(GOOD).encode(), "linux-x86_64").pack_version == 3
    with pytest.raises(SetupError, match=r"index\.malformed: the pointer to the newest pack is refused"):
        parse_newest(json.dumps(GOOD | change).encode(), "linux-x86_64")


@pytest.mark.parametrize("value", [[], "x", 7, True, {"x": 1}, {"linux-x86_64": "3"}, {"linux-x86_64": 0}, {"../x": 1}])
def test_b12_security_floors_with_a_wrong_value(value: Any) -> None:
    assert parse_security_floors(None) == {}
    assert parse_security_floors({"linux-x86_64": 3}) == {"linux-x86_64": 3}
    with pytest.raises(SetupError, match=r"index\.malformed: the channel's security floors are refused"):
        parse_security_floors(value)


def test_b12_a_security_floor_above_everything_on_offer() -> None:
    newest = Newest("linux-x86_64", 3, "a.envelope.json")
    check_floor(3, newest)
    with pytest.raises(SetupError, match=r"index\.malformed: the channel's security floor 4 is above"):
        check_floor(4, newest)


@pytest.mark.parametrize(
    "change", [{"schema": "x"}, {"schema": None}, {"seen": []}, {"seen": None}, {"seen_under": {}}, {"seen_under": "x"}]
)
def test_b12_own_floors_with_a_wrong_value(change: dict[str, Any]) -> None:
    good = {"schema": "pui-channel-state-1", "issued": None, "seen": {"linux-x86_64": 3}, "seen_under": ["a"]}
    assert parse_state(json.dumps(good).encode()).seen == {"linux-x86_64": 3}
    with pytest.raises(SetupError, match=r"index\.malformed"):
        parse_state(json.dumps(good | change).encode())
