"""One target under atheris, in a process of its own: libFuzzer ends it by exit or abort.

In: argv: the target's name, then libFuzzer's own arguments. Out: libFuzzer's lines on stderr, findings as files.
Never: a return.
"""

from __future__ import annotations

import random
import sys

import atheris

with atheris.instrument_imports(include=["pui", "tuf"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.mutation import mutated


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def other(data: bytes, limit_bytes: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, limit_bytes))
        return mutated(random.Random(seed), data, limit_bytes, is_json=target.is_json)

    atheris.Setup(sys.argv, target.run, custom_mutator=other)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
