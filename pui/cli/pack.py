"""`pui pack`: build, install, verify, list and remove runtime packs.

In: parsed arguments. Out: an exit code: 0 done, 1 failed with a named error, 2 wrong usage.
Never: a check of its own; what may be installed is decided below (domain/trust.py, adapters/packs).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pui.adapters.packs.fetch import UrlSource
from pui.adapters.packs.install import InstallResult, PackInstaller
from pui.adapters.packs.keys import TrustFolder, load_trust, trust_development_key
from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, FileSource, PackSource
from pui.adapters.packs.store import PackListing
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import AppPaths, app_paths, own_dir
from pui.cli.output import ByteProgress, note, print_error, print_json, say
from pui.cli.pack_channel import add_channel_commands, install_bundle, is_bundle
from pui.cli.pack_life import add_life_commands, after_install, disk_use, state_label
from pui.cli.pack_move import add_move_command
from pui.cli.pack_provenance import add_provenance_commands, verify_rebuild
from pui.cli.pack_watch import add_watch_commands
from pui.cli.pack_work import open_life, open_operations, shown_steps
from pui.domain.errors import CallerError, PuiError
from pui.domain.pack_life import PackView, unhealthy
from pui.domain.sbom import FINGERPRINT

if TYPE_CHECKING:
    from pui.packbuild.progress import Progress

DEFAULT_LEVEL = 10

_OVERVIEW = """\
A runtime pack holds what a task's machine needs: QEMU, a kernel, the guest's files and pi. It is two files side by
side, NAME.tar.zst and NAME.envelope.json. Only a pack signed by a key in your trust folder can be installed.

  pui pack build --install            make a pack on this computer and install it
  pui pack install ~/NAME.tar.zst     install a pack that you were given
  pui pack update --channel URL       install the newest pack of a channel whose root you trust
  pui pack list                       what is installed, and whom you trust
  pui pack verify                     is every file still the signed one?
  pui pack repair --channel URL       mend what is not, fetching only that
  pui pack rollback                   go back to the pack before the active one
  pui pack bundle OUT --from DIR      one file for a computer without a network
"""
_BUILD = """\
Fetches the locked inputs (once: they are cached by hash), builds the pack and signs it with this computer's development
key, which is made at the first build and trusted only by you.

example:
  pui pack build --install
  pui pack build --frozen --out dist      refuse inputs that differ from the lock file
  pui pack build --platform linux-aarch64 --out dist
"""
_INSTALL = """\
Reads the signed manifest first; then the archive is hashed, unpacked and written in one pass. Nothing changes unless
every byte is the signed one. The pack that was active before is kept as the previous one. Then a health boot shows
whether a machine of the new pack reaches pi's answer; if not, tasks start from the previous pack again.

example:
  pui pack install pui-runtime-linux-x86_64-3.tar.zst
  pui pack install https://example.org/packs/pui-runtime-linux-x86_64-3.tar.zst
  pui pack install pui-linux.pui-bundle          made by `pui pack bundle`; needs no network
"""
_VERIFY = """\
Hashes every file of an installed pack (the active one if you name none), or checks a pack file without installing it.

example:
  pui pack verify
  pui pack verify ./pui-runtime-linux-x86_64-3.tar.zst
  pui pack verify --rebuild                   prove that its own lock gives the same bytes again (a minute)
"""
_LIST = """\
Shows each installed pack, its signer, and the keys in your trust folder.

example:
  pui pack list --json
"""
_REMOVE = """\
Removes an installed pack. The active one only with --force; one that a running task uses never.

example:
  pui pack remove linux-x86_64-2-0123456789ab
"""

Handler = Callable[[argparse.Namespace], int]
Commands = Any  # argparse._SubParsersAction, which has no public name


def add_parser(commands: Commands) -> None:
    """Adds `pack` and its sub-commands; each sets `handler`."""
    parser = _command(commands, "pack", "build, install, verify, list and remove runtime packs", _OVERVIEW)
    parser.set_defaults(handler=lambda arguments: _show_help(parser))
    parts = parser.add_subparsers(metavar="COMMAND")
    _add_build(parts)
    _add_install(parts)
    verify = _command(parts, "verify", "check an installed pack or a pack file", _VERIFY, _verify)
    verify.add_argument("what", nargs="?", metavar="ID|FILE", help="an installed pack's id, or a pack file")
    listing = _command(parts, "list", "what is installed, and whom you trust", _LIST, _list)
    add_provenance_commands(parts, _command, verify)
    remove = _command(parts, "remove", "remove an installed pack", _REMOVE, _remove)
    remove.add_argument("pack_id", metavar="ID")
    remove.add_argument("--force", action="store_true", help="also if it is the active pack")
    for part in (verify, listing, remove):
        part.add_argument("--json", action="store_true", help="print one JSON object")
    add_channel_commands(parts, _command, _report)
    add_life_commands(parts, _command)
    add_watch_commands(parts, _command)
    add_move_command(parts, _command)


def _add_build(parts: Commands) -> None:
    build = _command(parts, "build", "make and sign a pack on this computer", _BUILD, _build)
    build.add_argument("--out", type=Path, metavar="DIR", help="where the two files go (default: the cache)")
    how = build.add_mutually_exclusive_group()
    how.add_argument("--frozen", action="store_true", help="refuse any input that differs from the lock file")
    how.add_argument("--update-lock", action="store_true", help="take the newest inputs and rewrite the lock file")
    build.add_argument("--level", type=_level, default=DEFAULT_LEVEL, help="zstd level 1-19 (default: %(default)s)")
    build.add_argument("--platform", default=None, metavar="P", help="for another computer, such as linux-aarch64")
    build.add_argument("--install", action="store_true", help="install the pack afterwards")
    build.add_argument(
        "--print-fingerprint", action="store_true", help="only print the fingerprint that a pack built now would have"
    )


def _add_install(parts: Commands) -> None:
    install = _command(parts, "install", "install a pack from a file or an https address", _INSTALL, _install)
    install.add_argument("source", metavar="PATH|URL", help="NAME.tar.zst beside NAME.envelope.json, or a bundle")
    install.add_argument(
        "--allow-older", action="store_true", help="insist on a version older than one installed before"
    )
    install.add_argument(
        "--trust-environment", action="store_true", help="use the proxy and certificate variables of the environment"
    )
    install.add_argument(
        "--no-health-boot",
        action="store_true",
        help="leave the pack on trial: the first task that reaches pi proves it",
    )
    install.add_argument("--json", action="store_true", help="print one JSON object")


def _command(
    commands: Commands, name: str, summary: str, epilog: str, handler: Handler | None = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if handler is not None:
        parser.set_defaults(handler=_reported(handler))
    return parser


def _reported(handler: Handler) -> Handler:
    def run(arguments: argparse.Namespace) -> int:
        try:
            return handler(arguments)
        except PuiError as error:
            print_error(error, as_json=getattr(arguments, "json", False))
            return 1

    return run


def _show_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _level(text: str) -> int:
    level = int(text)
    if not 1 <= level <= 19:
        raise argparse.ArgumentTypeError("the level is a number from 1 to 19")
    return level


def _build(arguments: argparse.Namespace) -> int:
    from pui.packbuild.build import (  # heavy, and absent from an app without the builder
        BuildOptions,
        build_fingerprint,
        build_pack,
    )

    paths = app_paths()
    options = BuildOptions(
        out_dir=arguments.out or paths.build_dir,
        cache_dir=paths.cache,
        key_path=paths.dev_key,
        frozen=arguments.frozen,
        update_lock=arguments.update_lock,
        level=arguments.level,
        platform=arguments.platform or this_app().platform,
    )
    if arguments.install and options.platform != this_app().platform:
        raise CallerError("caller.bad_request", f"a pack for {options.platform} cannot be installed on this computer")
    if arguments.print_fingerprint:
        say(build_fingerprint(options))
        return 0
    own_dir(paths.data)  # before anything in it is made: with a lax umask the key's folder would make it writable
    paths.cache.mkdir(parents=True, exist_ok=True)
    with ByteProgress("building") as progress:
        built = build_pack(options, lambda step: _show_step(progress, step))
    key = trust_development_key(paths.dev_key, paths.trust_dir)
    say(f"built {built.archive}")
    note(f"signed by the {key.label}, which is now in {paths.trust_dir}")
    if arguments.install:
        trust = load_trust(paths.trust_dir)
        result = _install_from(paths, FileSource(built.archive), trust, quiet=False, allow_older=False)
        _say_installed(result, after_install(paths, result.pack.pack_id, boot=True, quiet=False))
    return 0


def _show_step(progress: ByteProgress, step: Progress) -> None:
    if step.note:
        note(f"{step.stage}: {step.note}")
    progress.update(step.done, step.total, step.stage)


def _install(arguments: argparse.Namespace) -> int:
    if is_bundle(arguments.source):
        return _report(arguments, install_bundle(arguments))
    paths, source = app_paths(), _source(arguments.source, trust_environment=arguments.trust_environment)
    trust = load_trust(paths.trust_dir)
    return _report(
        arguments, _install_from(paths, source, trust, quiet=arguments.json, allow_older=arguments.allow_older)
    )


def _report(arguments: argparse.Namespace, result: InstallResult) -> int:
    boot = not arguments.no_health_boot
    pack = after_install(app_paths(), result.pack.pack_id, boot=boot, quiet=arguments.json)
    if arguments.json:
        value: dict[str, object] = {"installed": pack.pack_id, "was_there": result.was_there, "state": pack.state}
        print_json(value | {"reason": pack.reason_code, "removed": list(result.removed)})
        return 1 if pack.state == "failed" else 0
    _say_installed(result, pack)
    return 0


def _source(text: str, *, trust_environment: bool) -> PackSource:
    if "://" in text:
        return UrlSource(text, trust_environment=trust_environment)
    return FileSource(Path(text))


def _install_from(
    paths: AppPaths, source: PackSource, trust: TrustFolder, *, quiet: bool, allow_older: bool
) -> InstallResult:
    with shown_steps("installing", quiet=quiet) as steps:
        return open_operations(paths, quiet=quiet).install(source, trust, steps, allow_older=allow_older)


def _say_installed(result: InstallResult, pack: PackView) -> None:
    """Raises SetupError pack.unhealthy when the trial of the pack has failed."""
    for name in result.cleaned:
        note(f"removed what an interrupted install had left: {name}")
    for name in result.removed:
        note(f"removed the pack before the previous one: {name}")
    for text in result.trouble:
        note(text)
    if pack.state == "failed":
        raise unhealthy(pack)
    now = "on trial" if pack.state == "trial" else "active"
    what = f"was installed already, now {now}" if result.was_there else f"installed and {now}"
    say(f"{result.pack.pack_id} {what}, signed by {result.pack.signed_by}")


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.rebuild:
        return verify_rebuild(arguments)
    paths, what = app_paths(), arguments.what
    if what is not None and what.endswith((ARCHIVE_SUFFIX, ENVELOPE_SUFFIX)):
        with ByteProgress("checking", quiet=arguments.json) as progress:
            installer, trust = PackInstaller(paths, this_app()), load_trust(paths.trust_dir)
            verified = installer.check(_source(what, trust_environment=False), trust, progress=progress.update)
        pack_id, files, signed_by = verified.pack_id, verified.manifest.files, verified.signed_by
    else:
        pack = open_life(paths).verify(what)
        pack_id, files, signed_by = pack.pack_id, pack.manifest.files, pack.signed_by
    if arguments.json:
        print_json({"pack_id": pack_id, "files": len(files), "signed_by": signed_by, "sound": True})
    else:
        say(f"{pack_id} is sound: {len(files)} files as signed by {signed_by}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    paths = app_paths()
    life = open_life(paths)
    for sentence in life.recover():
        note(sentence)
    packs, trust, view = life.store.list(), load_trust(paths.trust_dir), life.view()
    if arguments.json:
        keys = [{"keyid": key.keyid, "label": key.label, "revoked": key.revoked} for key in trust.keys]
        values = [_listing_value(pack, view.of(pack.pack_id)) for pack in packs]
        value = {"packs": values, "keys": keys, "key_faults": list(trust.faults)}
        print_json(value | {"disk_use_bytes": life.store.disk_use_bytes()})
        return 0
    for pack in packs:
        say(_listing_line(pack, view.of(pack.pack_id)))
    if packs:
        say(disk_use(life))
    if not packs:
        say("no runtime pack is installed")
    say(f"trusted keys in {paths.trust_dir}:")
    for key in trust.keys:
        say(f"  {key.keyid[:16]}  {key.label}{' (revoked)' if key.revoked else ''}")
    for fault in trust.faults:
        say(f"  not a key: {fault}")
    return 0


def _listing_value(pack: PackListing, life: PackView) -> dict[str, object]:
    value: dict[str, object] = {"pack_id": pack.pack_id, "slot": pack.slot, "signed_by": pack.signed_by}
    value |= {"state": life.state, "reason": {"code": life.reason_code, "message": life.reason}}
    if pack.manifest is not None:
        value |= {
            "version": pack.manifest.pack_version,
            "created": pack.manifest.created,
            "size_bytes": pack.manifest.total_size_bytes,
            "fingerprint": pack.manifest.components.get(FINGERPRINT),
            "components": dict(pack.manifest.components),
        }
    if pack.problem is not None:
        value["problem"] = {"code": pack.problem.code, "message": pack.problem.message, "hint": pack.problem.hint}
    return value


def _listing_line(pack: PackListing, life: PackView) -> str:
    state = state_label(life.state)
    if pack.manifest is None:
        return f"{state:9} {pack.pack_id}  {pack.problem}"
    size_mib = pack.manifest.total_size_bytes / 2**20
    line = f"{state:9} {pack.pack_id}  {size_mib:.0f} MiB  {pack.manifest.created}  signed by {pack.signed_by}"
    return f"{line}\n          {life.reason_code} {life.reason}" if life.state in ("failed", "corrupt") else line


def _remove(arguments: argparse.Namespace) -> int:
    open_life(app_paths()).remove(arguments.pack_id, force=arguments.force)
    if arguments.json:
        print_json({"removed": arguments.pack_id})
    else:
        say(f"{arguments.pack_id} removed")
    return 0
