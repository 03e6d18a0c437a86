"""Host facts: exact JSON both ways, a strict reader, a cache key that notices every change.

In: one set of facts and its mutations. Out: equality or a refusal. Never: this computer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.facts import (
    FACTS_LIMIT_BYTES,
    AcceleratorVerdict,
    HostFacts,
    ProbeDependencies,
    ShareVerdict,
    cache_key,
    facts_from_json,
    facts_to_json,
)

FACTS = HostFacts(
    os="linux",
    arch="x86_64",
    kernel_release="6.1.0-50-amd64",
    cpu_model="Some CPU @ 2.50GHz",
    cpu_count=2,
    memory_total_mib=24000,
    memory_available_mib=20000,
    disk_free_bytes=50 << 30,
    qemu_version="10.0.8",
    accelerators=(
        AcceleratorVerdict("kvm", "broken", "run state internal-error", "KVM internal error. Suberror: 1\né", None),
        AcceleratorVerdict("tcg", "works", "the probe machine answered", "", 1234),
    ),
    shares=(ShareVerdict("virtiofs", True, "virtiofsd 1.13 answered"), ShareVerdict("9p", True, "built in")),
    user_id=1000,
    probed_at_ns=1_700_000_000_000_000_000,
    from_cache=False,
)

DEPENDENCIES = ProbeDependencies(
    pui_version="0.1.0",
    pack_id="linux-x86_64-1-0123456789ab",
    qemu_version="10.0.8",
    os="linux",
    arch="x86_64",
    kernel_release="6.1.0-50-amd64",
    boot_id="00000000-0000-0000-0000-000000000000",
    cpu_model="Some CPU",
    cpu_flags_sha256="00",
    device_identities=("/dev/kvm rdev=10:232 mode=0660 gid=108",),
    user_id=1000,
    group_ids=(108, 1000),
)


def test_facts_come_back_as_they_went() -> None:
    assert facts_from_json(facts_to_json(FACTS, "key"), "key") == FACTS


@given(st.binary(max_size=200))
def test_random_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        facts_from_json(data)


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


def _drop(*path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


MUTATIONS = {
    "other schema": _set("schema", to="pui-host-facts-0"),
    "other key": _set("key", to="elsewhere"),
    "unknown field": _set("facts", "extra", to=1),
    "missing field": _drop("facts", "user_id"),
    "missing top field": _drop("key"),
    "facts no object": _set("facts", to=[]),
    "bool as number": _set("facts", "cpu_count", to=True),
    "float as number": _set("facts", "cpu_count", to=2.0),
    "negative": _set("facts", "disk_free_bytes", to=-1),
    "too large": _set("facts", "disk_free_bytes", to=2**63),
    "number as text": _set("facts", "cpu_model", to=7),
    "long text": _set("facts", "cpu_model", to="x" * 8193),
    "number as flag": _set("facts", "from_cache", to=1),
    "unknown system": _set("facts", "os", to="plan9"),
    "system no text": _set("facts", "os", to=["linux"]),
    "unknown accelerator": _set("facts", "accelerators", 0, "name", to="xen"),
    "unknown status": _set("facts", "accelerators", 0, "status", to="perhaps"),
    "boot_ms no number": _set("facts", "accelerators", 1, "boot_ms", to="1"),
    "accelerators no list": _set("facts", "accelerators", to={}),
    "accelerators too many": _set("facts", "accelerators", to=[{}] * 17),
    "share no object": _set("facts", "shares", 0, to=None),
    "share works no flag": _set("facts", "shares", 0, "works", to="yes"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_any_other_shape_is_refused(name: str) -> None:
    document = json.loads(facts_to_json(FACTS))
    MUTATIONS[name](document)
    with pytest.raises(ValueError):
        facts_from_json(json.dumps(document).encode())


def test_oversized_and_deep_files_are_refused_before_they_are_used() -> None:
    good = facts_to_json(FACTS)
    padded = good + b" " * (FACTS_LIMIT_BYTES - len(good))
    assert facts_from_json(padded) == FACTS
    with pytest.raises(ValueError, match="at most"):
        facts_from_json(padded + b" ")
    with pytest.raises(ValueError):
        facts_from_json(b"[" * 60000)


def test_the_cache_key_is_stable_and_notices_every_dependency() -> None:
    key = cache_key(DEPENDENCIES)
    assert key == cache_key(replace(DEPENDENCIES))
    assert len(key) == 64
    changed = set()
    for field in fields(ProbeDependencies):
        value = getattr(DEPENDENCIES, field.name)
        other: Any = value + 1 if isinstance(value, int) else value + value[:1]
        changed.add(cache_key(replace(DEPENDENCIES, **{field.name: other})))
    assert key not in changed
    assert len(changed) == len(fields(ProbeDependencies))


def test_verdicts_are_found_by_name() -> None:
    assert FACTS.accelerator("kvm") == FACTS.accelerators[0]
    assert FACTS.accelerator("hvf") is None
    assert FACTS.share("9p") == FACTS.shares[1]
    assert FACTS.share("smb") is None
