"""Compiles the guest program (`pui/guest/*.c`) with the locked compiler.

In: the C sources, the compiler's wheel. Out: one static binary. Never: a compiler or a header of the building machine.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild.run import CLEAN_ENVIRONMENT, run

FLAGS = ("-static", "-Os", "-s", "-std=gnu11")


def find_sources(folder: Path) -> list[Path]:
    """The C files, sorted. Raises PuiError("pack.build") when there are none."""
    sources = sorted(folder.glob("*.c"))
    if not sources:
        raise PuiError("pack.build", f"there are no C sources of the guest program in {folder}")
    return sources


def unpack_compiler(wheel: Path, sha256: str, cache_dir: Path) -> Path:
    """The compiler's program, unpacked once a version below `<cache>/compiler/`."""
    folder = cache_dir / "compiler" / sha256[:16]
    program = folder / "ziglang" / "zig"
    if not (folder / "complete").exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)  # noqa: S202 - its bytes were compared with the lock
        program.chmod(0o755)
        (folder / "complete").touch()
    return program


def compile_guest_program(
    compiler: Path, sources: Sequence[Path], work: Path, cache_dir: Path, compiler_target: str
) -> bytes:
    """The static binary for `compiler_target` ("x86_64-linux-musl"). Compiled from a folder of copies by bare names: no
    path of the builder can reach the bytes."""
    folder = work / "guest"
    folder.mkdir()
    for source in [*sources, *sorted(sources[0].parent.glob("*.h"))]:
        (folder / source.name).write_bytes(source.read_bytes())
    env = {
        **CLEAN_ENVIRONMENT,
        "ZIG_GLOBAL_CACHE_DIR": str(cache_dir / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(cache_dir / "zig"),
    }
    names = [source.name for source in sources]
    argv = [str(compiler), "cc", "-target", compiler_target, *FLAGS, "-o", "pui-init", *names]
    run(argv, purpose="compiling the guest program", env={**env, "HOME": os.fspath(work)}, cwd=folder)
    return (folder / "pui-init").read_bytes()
