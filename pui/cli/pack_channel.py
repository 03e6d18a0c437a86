"""`pui pack keys, publish, trust-root, update, bundle`: channels and what comes from them.

In: parsed arguments. Out: an exit code: 0 done, 1 failed with a named error. Never: python-tuf loaded without need.
"""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pui.adapters.packs.install import InstallResult
from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.operations import BUNDLE_SUFFIX, PackOperations
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import ENV_CHANNEL, app_paths
from pui.cli.output import ByteProgress, note, print_json, say
from pui.cli.pack_work import open_operations, shown_steps
from pui.domain.channel_root import fingerprint
from pui.domain.errors import CallerError

if TYPE_CHECKING:
    from pui.adapters.channel.signing_keys import SigningKeys
    from pui.adapters.channel.updater import Offer

_MAX_PASSPHRASE_BYTES = 4096

_KEYS = """\
Makes the signing keys of a channel: three root keys (any two of them sign a root), targets (the release key, which also
signs packs), snapshot, timestamp. Keep root and targets offline; only snapshot and timestamp are needed to keep a
channel fresh. The folder must be outside of any git checkout; the files are 0600, encrypted if you give a passphrase.

example:
  pui pack keys ~/channel-keys
  pui pack keys ~/new-release-key --only targets --passphrase-file ~/passphrase
"""
_PUBLISH = """\
Writes a channel: a folder that any web server can serve as it is. The first time it makes the root, later it adds
packs, or only signs a fresh snapshot and timestamp (do that at least every 14 days, or clients stop updating). A pack
is checked whole, and must be one that you trust, before the release key signs it. Share the root's file and its
fingerprint by two different ways.

example:
  pui pack publish ~/www/channel --keys ~/channel-keys --pack pui-runtime-linux-x86_64-3.tar.zst
  pui pack publish ~/www/channel --keys ~/channel-keys
  pui pack publish ~/www/channel --keys ~/channel-keys --rotate-root ~/new-release-key
  pui pack publish ~/www/channel --keys ~/channel-keys --security-floor linux-x86_64=2026112302
"""
_TRUST_ROOT = """\
Trusts a channel's root. Compare the fingerprint (SHA-256 of the file) with one that you got from the channel's operator
by another way than the file itself. Later roots are followed by themselves, if the earlier one's keys signed them.

example:
  pui pack trust-root 1.root.json --fingerprint 5f2c...64 hex digits
"""
_UPDATE = """\
Asks the channel for its newest pack, downloads what is not in an installed pack already (a broken download goes on
where it ended, also after Ctrl-C) and installs it. Then a health boot shows whether a machine of the new pack reaches
pi's answer; if not, tasks start from the pack before it again, and `pui pack list` tells the reason. Needs a trusted
root, see `pui pack trust-root`. An index that is out of date, older than one seen before or wrongly signed stops the
update, never the installed pack. PUI_CHANNEL may hold the address.

example:
  pui pack update --channel https://example.org/channel
  PUI_CHANNEL=https://example.org/channel pui pack update --check
"""
_BUNDLE = """\
Writes the newest pack of a published channel with its envelope and the chain of roots into one file, for computers
without a network. Carry it there with DIR/metadata/1.root.json, whose fingerprint comes by another way:

  pui pack trust-root 1.root.json --fingerprint 5f2c...64 hex digits      once
  pui pack install pui-linux.pui-bundle

example:
  pui pack bundle pui-linux.pui-bundle --from ~/www/channel
"""

Handler = Callable[[argparse.Namespace], int]
Command = Callable[[Any, str, str, str, Handler], argparse.ArgumentParser]


Report = Callable[[argparse.Namespace, InstallResult], int]
"""What cli/pack.py says after an installation: the trial of the new pack, words or JSON, an exit code."""


def add_channel_commands(parts: Any, command: Command, report: Report) -> None:
    """`command` makes one sub-command (name, summary, epilog, handler), as cli/pack.py does."""

    def run_update(arguments: argparse.Namespace) -> int:
        return _update(arguments, report)

    update = command(parts, "update", "install the newest pack of a channel", _UPDATE, run_update)
    update.add_argument(
        "--no-health-boot",
        action="store_true",
        help="leave the pack on trial: the first task that reaches pi proves it",
    )
    update.add_argument("--check", action="store_true", help="only say what there is")
    add_channel_options(update)
    trust = command(parts, "trust-root", "trust the root of a channel", _TRUST_ROOT, _trust_root)
    trust.add_argument("file", type=Path, metavar="FILE")
    trust.add_argument("--fingerprint", required=True, metavar="SHA256", help="what the channel's operator told you")
    trust.add_argument("--replace", action="store_true", help="in place of the root that is trusted now")
    bundle = command(parts, "bundle", "write a pack for a computer without a network", _BUNDLE, _bundle)
    bundle.add_argument("out", type=Path, metavar=f"OUT{BUNDLE_SUFFIX}")
    bundle.add_argument("--from", dest="channel", type=Path, required=True, metavar="DIR", help="a published channel")
    bundle.add_argument("--platform", metavar="NAME", help="such as linux-x86_64 (default: this computer's)")
    for part in (update, trust, bundle):
        part.add_argument("--json", action="store_true", help="print one JSON object")
    _add_publishing(parts, command)


def _add_publishing(parts: Any, command: Command) -> None:
    publish = command(parts, "publish", "write a channel that a web server can serve", _PUBLISH, _publish)
    publish.add_argument("folder", type=Path, metavar="DIR")
    publish.add_argument("--pack", type=Path, action="append", default=[], metavar="PACKFILE", help="may be repeated")
    publish.add_argument("--keys", type=Path, required=True, metavar="KEYS", help="folder made by `pui pack keys`")
    publish.add_argument(
        "--rotate-root", type=Path, metavar="KEYS", help="sign a new root: keys of this folder replace those of KEYS"
    )
    publish.add_argument(
        "--security-floor",
        type=_floor,
        action="append",
        default=[],
        metavar="PLATFORM=VERSION",
        help="packs before VERSION have known holes: who updates goes back to one only by words of insistence",
    )
    keys = command(parts, "keys", "make the signing keys of a channel", _KEYS, _keys)
    keys.add_argument("folder", type=Path, metavar="DIR")
    keys.add_argument("--only", action="append", metavar="ROLE", help="root, targets, snapshot or timestamp")
    for part in (publish, keys):
        part.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line opens the keys")
        part.add_argument("--ask-passphrase", action="store_true", help="ask for the passphrase")
        part.add_argument("--json", action="store_true", help="print one JSON object")


def _floor(text: str) -> tuple[str, int]:
    platform, _, version = text.partition("=")
    if not platform or not version.isascii() or not version.isdigit() or int(version) < 1:
        raise argparse.ArgumentTypeError("it has the form linux-x86_64=2026112302")
    return platform, int(version)


def is_bundle(text: str) -> bool:
    return text.endswith(BUNDLE_SUFFIX)


def install_bundle(arguments: argparse.Namespace) -> InstallResult:
    """`pui pack install FILE.pui-bundle`. Raises PuiError."""
    from pui.adapters.channel.bundle import BundleSource, bundle_trust

    paths, file = app_paths(), Path(arguments.source)
    operations = open_operations(paths, quiet=arguments.json)
    operations.ensure_root()
    source = BundleSource(file)
    built = bundle_trust(paths, source).verify(source.read_envelope()).manifest.created
    if not arguments.json:
        note(f"the bundle's pack was built on {built[:10]}; nobody can tell offline whether there is a newer one")
    with shown_steps("installing", quiet=arguments.json) as steps:
        return operations.install_bundle(file, steps, allow_older=arguments.allow_older)


def _keys(arguments: argparse.Namespace) -> int:
    from pui.adapters.channel.signing_keys import ALL_NAMES, ROLE_NAMES, make_keys

    unknown = [role for role in arguments.only or () if role not in ROLE_NAMES]
    if unknown:
        raise CallerError("caller.bad_request", f"{unknown[0]!r} is not one of {', '.join(ROLE_NAMES)}")
    names = [name for role in arguments.only for name in ROLE_NAMES[role]] if arguments.only else ALL_NAMES
    paths = make_keys(arguments.folder, names, _passphrase(arguments, twice=True))
    if arguments.json:
        print_json({"keys": [str(path) for path in paths]})
        return 0
    for path in paths:
        say(str(path))
    note("Keep the root keys at three places and the release key (targets) offline; none of them can be made again.")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    from pui.adapters.channel.publish import Publisher
    from pui.adapters.channel.signing_keys import SigningKeys

    paths, passphrase = app_paths(), _passphrase(arguments)

    def keys(folder: Path | None) -> SigningKeys | None:
        return None if folder is None else SigningKeys(folder, passphrase)

    publisher = Publisher(arguments.folder, SigningKeys(arguments.keys, passphrase), load_trust(paths.trust_dir))
    with ByteProgress("checking", quiet=arguments.json) as progress:
        done = publisher.publish(
            arguments.pack,
            rotate_to=keys(arguments.rotate_root),
            security_floors=dict(arguments.security_floor),
            progress=progress.update,
        )
    mark = fingerprint(done.root.read_bytes())
    if arguments.json:
        value = {"root": str(done.root), "fingerprint": mark, "versions": done.versions, "packs": list(done.packs)}
        print_json(value | {"cleaned": list(done.cleaned)})
        return 0
    for name in done.cleaned:
        say(f"removed what an interrupted publication had left: {name}")
    for pack_id in done.packs:
        say(f"added {pack_id}")
    say(f"published {arguments.folder}: " + ", ".join(f"{role} {number}" for role, number in done.versions.items()))
    say(f"root {done.root}\n  fingerprint {mark}")
    return 0


def _trust_root(arguments: argparse.Namespace) -> int:
    from pui.adapters.channel.trust_root import install_root, read_root_file

    paths = app_paths()
    keys = install_root(paths, read_root_file(arguments.file), arguments.fingerprint, replace=arguments.replace)
    if arguments.json:
        print_json({"root": str(paths.trust_root), "release_keys": [key.keyid for key in keys.keys]})
    else:
        say(f"trusted: packs signed by {keys.threshold} of {len(keys.keys)} release key(s)")
    return 0


def channel_operations(arguments: argparse.Namespace) -> PackOperations:
    """The acts on packs, with the channel of --channel, the environment or the setting."""
    return open_operations(
        app_paths(),
        channel=arguments.channel,
        trust_environment=arguments.trust_environment,
        quiet=arguments.json,
    )


def teller(arguments: argparse.Namespace) -> Callable[[str], None]:
    """Who is told by the way."""
    return _quiet if arguments.json else note


def add_channel_options(parser: argparse.ArgumentParser) -> None:
    """What channel_operations() reads."""
    default = f"{ENV_CHANNEL}, else the setting channel"
    parser.add_argument("--channel", metavar="URL", help=f"address of the channel (default: {default})")
    parser.add_argument(
        "--trust-environment", action="store_true", help="use the proxy and certificate variables of the environment"
    )


def _quiet(sentence: str) -> None:
    """--json prints one object and nothing beside it."""


def _update(arguments: argparse.Namespace, report: Report) -> int:
    operations = channel_operations(arguments)
    updater = operations.updater(teller(arguments))
    offer = updater.check()
    for name in offer.cleaned:
        note(f"removed what an interrupted check had left: {name}")
    if arguments.check or not offer.is_newer:
        return _say_offer(offer, as_json=arguments.json)
    if not arguments.json:
        note(f"version {offer.verified.manifest.pack_version}: {_download_words(offer)}")
    with shown_steps("downloading", quiet=arguments.json) as steps:
        try:
            result = operations.install_offer(updater, offer, steps)
        except KeyboardInterrupt:
            note("stopped; what was downloaded is kept, the next `pui pack update` goes on with it")
            raise
    return report(arguments, result)


def _say_offer(offer: Offer, *, as_json: bool) -> int:
    manifest = offer.verified.manifest
    if as_json:
        print_json(
            {
                "version": manifest.pack_version,
                "created": manifest.created,
                "size_bytes": offer.archive.size_bytes,
                "download_bytes": offer.download_bytes,
                "newer": offer.is_newer,
                "pack_id": offer.verified.pack_id,
            }
        )
        return 0
    if offer.is_newer:
        say(f"version {manifest.pack_version} of {manifest.created[:10]} is there, {_download_words(offer)}")
    else:
        say(f"nothing newer: the channel's newest is version {manifest.pack_version} of {manifest.created[:10]}")
    return 0


def _download_words(offer: Offer) -> str:
    whole_mib, mib = offer.archive.size_bytes / 2**20, offer.download_bytes / 2**20
    if offer.delta_bytes is None:
        return f"{whole_mib:.1f} MiB to download"
    return f"{mib:.1f} MiB to download (of {whole_mib:.1f}: the rest is in packs that are installed)"


def _bundle(arguments: argparse.Namespace) -> int:
    from pui.adapters.channel.bundle import write_bundle

    verified = write_bundle(arguments.out, arguments.channel, arguments.platform or this_app().platform)
    if arguments.json:
        print_json({"bundle": str(arguments.out), "pack_id": verified.pack_id})
    else:
        say(f"{arguments.out} holds {verified.pack_id}, built on {verified.manifest.created[:10]}")
    return 0


def _passphrase(arguments: argparse.Namespace, *, twice: bool = False) -> bytes | None:
    if arguments.passphrase_file is not None:
        if not arguments.passphrase_file.is_file():
            raise CallerError("caller.bad_request", f"there is no file {arguments.passphrase_file}")
        with arguments.passphrase_file.open("rb") as file:
            line = bytes(file.readline(_MAX_PASSPHRASE_BYTES)).rstrip(b"\r\n")
        if not line:
            raise CallerError("caller.bad_request", f"{arguments.passphrase_file} is empty")
        return line
    if not arguments.ask_passphrase:
        return None
    text = getpass.getpass("passphrase of the keys: ")
    if not text or (twice and getpass.getpass("once more: ") != text):
        raise CallerError("caller.bad_request", "the passphrases are empty or differ")
    return text.encode()
