"""`pui pack show`, `audit` and `verify --rebuild`: what a pack is made of, what changed, that it can be made again.

In: parsed arguments. Out: an exit code as pui/cli/pack.py has it. Never: a change of an installed pack.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import zstandard

from pui.adapters.packs.contents import OpenedPack, open_pack
from pui.adapters.paths import app_paths
from pui.cli.output import ByteProgress, note, print_json, say
from pui.domain import pack_layout
from pui.domain.errors import PuiError
from pui.domain.manifest import Manifest
from pui.domain.pack_audit import OWN_PREFIX, audit_lines, audit_packs, component_versions
from pui.domain.sbom import FINGERPRINT, SbomComponent, read_sbom

if TYPE_CHECKING:
    from pui.packbuild.progress import Progress

Commands = Any  # argparse._SubParsersAction, which has no public name
Command = Callable[..., argparse.ArgumentParser]

SIZES_LEVEL = 10
"""Like the default of `pui pack build`, so that the table says what a part adds to a download."""

PARTS: Sequence[tuple[str, str]] = (
    ("qemu/bin/", "QEMU, qemu-img, virtiofsd"),
    ("qemu/lib/", "their libraries and loader"),
    ("qemu/", "firmware and modules"),
    (pack_layout.KERNEL, "kernel"),
    (pack_layout.INITRD, "initrd"),
    (pack_layout.BASE_IMAGE, "root file system"),
    ("", "licences, SBOM, lock, certificates"),
)
"""Path prefix, name: the first that fits counts."""

_SHOW = """\
What a pack says about itself: versions of what is inside, licences, who signed it and how it was built. Names the
active pack if you give none. A pack file need not be installed, but must be signed by a key you trust.

example:
  pui pack show
  pui pack show --sizes                       what each part costs, unpacked and in the download
  pui pack show --licences                    every licence text
  pui pack show ./pui-runtime-linux-x86_64-3.tar.zst --json
"""
_AUDIT = """\
Compares two packs, installed or not: which components are new, gone or of another version, which files differ.
Exit code 0 whether or not they differ.

example:
  pui pack audit linux-x86_64-2-0123456789ab ./pui-runtime-linux-x86_64-3.tar.zst
"""


def add_provenance_commands(parts: Commands, command: Command, verify: argparse.ArgumentParser) -> None:
    """Adds `show` and `audit`, and `--rebuild` to `verify`; `command` makes a sub-command whose errors are reported."""
    show = command(parts, "show", "what a pack is made of, its licences and its signer", _SHOW, _show)
    show.add_argument("what", nargs="?", metavar="ID|FILE", help="an installed pack's id, or a pack file")
    how = show.add_mutually_exclusive_group()
    how.add_argument("--sizes", action="store_true", help="measure what each part costs (reads the whole pack)")
    how.add_argument("--licences", action="store_true", help="print every licence text")
    audit = command(parts, "audit", "what differs between two packs", _AUDIT, _audit)
    audit.add_argument("before", metavar="A", help="an installed pack's id, or a pack file")
    audit.add_argument("after", metavar="B", help="the same")
    for part in (show, audit):
        part.add_argument("--json", action="store_true", help="print one JSON object")
    verify.add_argument(
        "--rebuild", action="store_true", help="build the pack again from its own lock and compare every byte"
    )


def _show(arguments: argparse.Namespace) -> int:
    pack = open_pack(arguments.what, app_paths())
    if arguments.licences:
        return _show_licences(pack)
    sbom = _sbom_of(pack)
    sizes = _part_sizes(pack, quiet=arguments.json) if arguments.sizes else None
    if arguments.json:
        print_json(_show_value(pack, sbom, sizes))
    elif sizes is not None:
        _say_sizes(pack, sbom, sizes)
    else:
        _say_pack(pack, sbom)
    return 0


def _show_licences(pack: OpenedPack) -> int:
    text = pack.texts((pack_layout.LICENCES,)).get(pack_layout.LICENCES)
    if text is None:
        raise PuiError("caller.bad_request", f"{pack.pack_id} carries no {pack_layout.LICENCES}", hint="")
    say(text.decode("utf-8", "replace"))
    return 0


def _sbom_of(pack: OpenedPack) -> tuple[SbomComponent, ...] | None:
    text = pack.texts((pack_layout.SBOM,)).get(pack_layout.SBOM)
    return None if text is None else read_sbom(text)


def _show_value(
    pack: OpenedPack, sbom: tuple[SbomComponent, ...] | None, sizes: Mapping[str, tuple[int, int]] | None
) -> dict[str, object]:
    manifest = pack.manifest
    value: dict[str, object] = {
        "pack_id": pack.pack_id,
        "platform": manifest.platform,
        "version": manifest.pack_version,
        "created": manifest.created,
        "signed_by": pack.signed_by,
        "size_bytes": manifest.total_size_bytes,
        "download_bytes": manifest.payload.size_bytes,
        "components": dict(manifest.components),
        "sbom": None if sbom is None else [asdict(item) for item in sbom],
    }
    if sizes is not None:
        value["sizes"] = {name: {"bytes": size, "compressed_bytes": packed} for name, (size, packed) in sizes.items()}
    return value


def _say_pack(pack: OpenedPack, sbom: tuple[SbomComponent, ...] | None) -> None:
    manifest = pack.manifest
    say(f"{pack.pack_id}, signed by {pack.signed_by}")
    say(f"  platform     {manifest.platform}")
    say(f"  created      {manifest.created} (the time of its lock)")
    say(
        f"  size         {_mib(manifest.total_size_bytes)} in {len(manifest.files)} files, {_mib(_packed(pack))} packed"
    )
    say(f"  needs        pui {manifest.compatibility.app_min}, guest protocol {manifest.compatibility.guest_protocol}")
    say(f"  fingerprint  {manifest.components.get(FINGERPRINT, '(not recorded)')}")
    for name, version in manifest.components.items():
        if "/" not in name:
            say(f"  {name:12} {version}")
    if sbom is None:
        say("This pack carries no SBOM: it is from before pui wrote one.")
        return
    say(f"{len(sbom)} components (parts; licences as each states them):")
    for item in sbom:
        licences = ", ".join(item.licences) or "not in the pack"
        say(f"  {item.name} {item.version} ({', '.join(item.parts)}; {licences})")


def _packed(pack: OpenedPack) -> int:
    return pack.manifest.payload.size_bytes


def _part_of(path: str) -> str:
    return next(name for prefix, name in PARTS if path.startswith(prefix))


def _part_sizes(pack: OpenedPack, *, quiet: bool) -> dict[str, tuple[int, int]]:
    """Part to bytes unpacked and compressed alone. Every byte read is also proven to be the signed one."""
    sizes = {name: 0 for _, name in PARTS}
    packed = dict(sizes)
    engines = {name: zstandard.ZstdCompressor(level=SIZES_LEVEL).compressobj() for name in sizes}
    done = 0
    with ByteProgress("measuring", quiet=quiet) as progress:
        for file, data in pack.blocks(lambda path: True):
            name = _part_of(file.path)
            sizes[name] += len(data)
            packed[name] += len(engines[name].compress(data))
            done += len(data)
            progress.update(done, pack.manifest.total_size_bytes)
    return {name: (sizes[name], packed[name] + len(engines[name].flush())) for _, name in PARTS}


def _say_sizes(pack: OpenedPack, sbom: tuple[SbomComponent, ...] | None, sizes: Mapping[str, tuple[int, int]]) -> None:
    say("| part | MiB unpacked | MiB compressed alone |")
    say("|---|---:|---:|")
    for name, (size_bytes, packed_bytes) in sizes.items():
        say(f"| {name} | {size_bytes / 2**20:.1f} | {packed_bytes / 2**20:.1f} |")
    say(f"| **whole** | {pack.manifest.total_size_bytes / 2**20:.1f} | {_packed(pack) / 2**20:.1f} |")
    inside = [item for item in sbom or () if item.installed_bytes is not None]
    if inside:
        say("")
        say("| in the root file system | version | MiB |")
        say("|---|---|---:|")
    for item in sorted(inside, key=lambda item: (-(item.installed_bytes or 0), item.name)):
        say(f"| {item.name} | {item.version} | {(item.installed_bytes or 0) / 2**20:.2f} |")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MiB"


def _audit(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    packs = [open_pack(what, paths) for what in (arguments.before, arguments.after)]
    before, after = [(pack.manifest, component_versions(pack.manifest, _sbom_of(pack))) for pack in packs]
    audit = audit_packs(before, after)
    if arguments.json:
        print_json({"before": packs[0].pack_id, "after": packs[1].pack_id, **asdict(audit)})
        return 0
    say(f"{packs[0].pack_id} -> {packs[1].pack_id}")
    for line in audit_lines(audit):
        say(line)
    return 0


def verify_rebuild(arguments: argparse.Namespace) -> int:
    """`pui pack verify --rebuild`: 0 when a second build gives the same bytes, 1 with the differences otherwise."""
    from pui.packbuild.rebuild import rebuild_pack  # heavy, and absent from an app without the builder

    paths = app_paths()
    pack = open_pack(arguments.what, paths)
    lock = pack.texts((pack_layout.LOCK,)).get(pack_layout.LOCK)
    if lock is None:
        raise PuiError(
            "pack.build", f"{pack.pack_id} does not carry its lock", hint="Build a new pack with `pui pack build`."
        )
    with ByteProgress("rebuilding", quiet=arguments.json) as progress:
        again = rebuild_pack(pack.manifest, lock, paths.cache, lambda step: _follow(progress, step, arguments.json))
    lines = _differences(pack.manifest, again)
    if arguments.json:
        print_json({"pack_id": pack.pack_id, "rebuilt": True, "same": not lines, "differences": lines})
    elif lines:
        say(f"{pack.pack_id}: the second build is DIFFERENT")
        for line in lines:
            say(line)
    else:
        say(f"{pack.pack_id}: built again from its own lock, all {len(again.files)} files and the archive are the same")
        say(f"  sha256 {again.payload.sha256}  {again.payload.name}")
    return 1 if lines else 0


def _follow(progress: ByteProgress, step: Progress, quiet: bool) -> None:
    if step.note and not quiet:
        note(f"{step.stage}: {step.note}")
    progress.update(step.done, step.total, step.stage)


def _differences(first: Manifest, second: Manifest) -> list[str]:
    """Nothing only when the two manifests are equal in everything: files, archive, components, compatibility."""
    if first == second:
        return []
    audit = audit_packs((first, _foreign(first)), (second, _foreign(second)))
    payload = f"archive: {first.payload.sha256} -> {second.payload.sha256}"
    return [*audit_lines(audit), payload]


def _foreign(manifest: Manifest) -> dict[str, str]:
    return {name: text for name, text in manifest.components.items() if not name.startswith(OWN_PREFIX)}
