"""Builds a runtime pack: from locked inputs to a signed archive.

In: `BuildOptions`. Out: `BuiltPack`, progress through a callback. Never: root rights, a change outside of the cache and
output folders (but for the lock with `update_lock`, and the development key when it is absent).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pui.domain import pack_layout
from pui.domain.manifest import Compatibility, Manifest, ManifestFile, Payload, render_manifest
from pui.domain.sbom import FINGERPRINT
from pui.packbuild import guest_program, kernel, pi_part, qemu_part, recipe, rootfs, sign, tools
from pui.packbuild.archive import PackFile, write_archive
from pui.packbuild.compile_cache import add_compile_cache
from pui.packbuild.deb import unpack_deb
from pui.packbuild.downloads import DownloadCache
from pui.packbuild.fingerprint import fingerprint, own_components, recipe_sum
from pui.packbuild.guest_root import check_can_enter, write_guest_root
from pui.packbuild.image import write_cache_template, write_image
from pui.packbuild.inputs import PACKAGED_LOCK, lock_in_use, obtain_inputs
from pui.packbuild.licences import is_copyright
from pui.packbuild.lock import BUILD_ONLY, Lock
from pui.packbuild.node_part import add_node
from pui.packbuild.prefetch import add_prefetch_list
from pui.packbuild.progress import Progress, Report
from pui.packbuild.provenance import Provenance
from pui.packbuild.python_part import add_byte_code, add_byte_code_from_outside
from pui.packbuild.targets import DEFAULT_PLATFORM, Target, find_target
from pui.packbuild.tree import Tree, Wanted
from pui.packbuild.workplace import open_workplace

DEFAULT_LEVEL = 6
GUEST_SOURCES = Path(__file__).parent.parent / "guest"


@dataclass(frozen=True)
class BuildOptions:
    """`out_dir` gets the two files of the pack; `key_path` is the development key (made when absent).

    `level` is zstd's; `lock_path` is rewritten by `update_lock` only; `frozen` forbids other inputs than the lock's.
    """

    out_dir: Path
    cache_dir: Path
    key_path: Path
    frozen: bool = False
    update_lock: bool = False
    level: int = DEFAULT_LEVEL
    lock_path: Path = PACKAGED_LOCK
    platform: str = DEFAULT_PLATFORM
    guest_sources: Path = GUEST_SOURCES


@dataclass(frozen=True)
class BuiltPack:
    """The two files of a pack and what they hold. `key_path` signed it."""

    archive: Path
    envelope: Path
    manifest: Manifest


def build_pack(options: BuildOptions, report: Report) -> BuiltPack:
    """Build and sign. Raises PuiError("pack.build"), DownloadError fetch.*; the output folder is then unchanged."""
    target = find_target(options.platform)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    with open_workplace(options.cache_dir, report) as work:
        cache = DownloadCache(options.cache_dir, report)
        lock = obtain_inputs(
            cache,
            options.lock_path,
            options.cache_dir,
            target.lock_suffixes,
            frozen=options.frozen,
            update_lock=options.update_lock,
            report=report,
        )
        own = own_components(target.platform, lock, recipe_sum(options.guest_sources), options.level)
        stage = _Stage(options, target, cache, lock, work, report, Provenance(lock))
        files = [*_build_files(stage), *stage.provenance.files(target.platform, own[FINGERPRINT])]
        return _assemble(stage, files, own)


def build_fingerprint(options: BuildOptions) -> str:
    """What the manifest of a pack built now would say as its fingerprint. Reads files only, needs no network.

    An input that the mirrors have lost since shows itself in the build alone. Raises PuiError("pack.build").
    """
    target = find_target(options.platform)
    lock = lock_in_use(options.lock_path, options.cache_dir, frozen=options.frozen).narrowed(target.lock_suffixes)
    return fingerprint(target.platform, lock, recipe_sum(options.guest_sources))


@dataclass(frozen=True)
class _Stage:
    """What every part needs."""

    options: BuildOptions
    target: Target
    cache: DownloadCache
    lock: Lock
    work: Path
    report: Report
    provenance: Provenance

    def say(self, stage: str, note: str) -> None:
        self.report(Progress(stage, note=note))

    def path(self, name: str) -> Path:
        return self.cache.path_of(self.lock.one(name).sha256)

    def unpacked(self, part: str, wanted: Wanted) -> Tree:
        tree = Tree()
        items = self.lock.of_part(part)
        self.say("unpack", f"{part}: {len(items)} packages, {sum(item.size_bytes for item in items) >> 20} MiB")
        for item in items:
            unpack_deb(self.cache.path_of(item.sha256), tree, lambda path: is_copyright(path) or wanted(path))
        if part not in BUILD_ONLY:
            self.provenance.add_debian(tree, part)
        return tree


def _build_files(stage: _Stage) -> list[PackFile]:
    guest, target = _guest_program(stage), stage.target
    qemu = stage.unpacked("qemu", lambda path: qemu_part.is_wanted(path, target))
    files = qemu_part.qemu_files(qemu, target)
    stage.say("kernel", "extracting the kernel and its modules")
    helpers, cross = _tools(stage)
    linux = kernel.read_kernel(stage.unpacked("kernel", kernel.is_wanted))
    linux = kernel.slim_modules(linux, helpers, stage.work)
    files.append(PackFile(pack_layout.KERNEL, linux.vmlinux))
    files.append(PackFile(pack_layout.INITRD, kernel.render_initrd(linux, guest)))
    tree, certificates = _root_tree(stage, helpers, cross, linux, guest)
    files.append(PackFile(pack_layout.CA_CERTIFICATES, certificates))
    stage.say("image", f"writing the root file system ({tree.size_bytes() >> 20} MiB)")
    qemu_img = cross.tools.command("qemu-img") if cross else _own_qemu_img(files, stage.work / "qemu")
    created_s = _seconds(stage.lock.created)
    files.append(PackFile(pack_layout.BASE_IMAGE, write_image(tree, helpers, qemu_img, stage.work, created_s)))
    files.append(PackFile(pack_layout.CACHE_TEMPLATE, write_cache_template(helpers, qemu_img, stage.work, created_s)))
    return files


def _tools(stage: _Stage) -> tuple[tools.Tools, tools.CrossTools | None]:
    """The builder's programs; for a guest of another processor also those that stand in for the guest's own."""
    tree, wanted = stage.unpacked("tools", tools.is_wanted), tools.programs(stage.target.arch)
    if not stage.target.is_foreign:
        return tools.Tools(tree, stage.work / "tools", wanted), None
    cross_tree = stage.unpacked("cross", tools.is_wanted)
    for path, entry in cross_tree.items():
        tree.put(path, entry)
    helpers = tools.Tools(tree, stage.work / "tools", wanted)
    return helpers, tools.CrossTools(cross_tree, stage.work / "cross")


def _guest_program(stage: _Stage) -> bytes:
    item = stage.lock.one(recipe.PYPI_COMPILER)
    stage.say("guest", "compiling the guest program (about 40 s the first time)")
    cache_dir = stage.options.cache_dir
    compiler = guest_program.unpack_compiler(stage.cache.path_of(item.sha256), item.sha256, cache_dir)
    stage.provenance.add_compiler(item, compiler.parent)
    sources = guest_program.find_sources(stage.options.guest_sources)
    triple = stage.target.arch.compiler_target
    return guest_program.compile_guest_program(compiler, sources, stage.work, cache_dir, triple)


def _root_tree(
    stage: _Stage, helpers: tools.Tools, cross: tools.CrossTools | None, linux: kernel.Kernel, guest: bytes
) -> tuple[Tree, bytes]:
    tree = _debian_tree(stage)
    certificates = rootfs.finish(tree)
    with stage.provenance.made(tree, "pui-guest-program", recipe_sum(stage.options.guest_sources)[:12], ("MIT",)):
        tree.file("sbin/pui-init", guest, mode=0o755)
    with stage.provenance.measured(tree, "linux-image"):
        kernel.add_late_modules(linux, tree)
    stage.say("node", "stripping Node, pruning pi")
    _add_npm(stage, tree, helpers)
    rootfs.check_complete(tree, stage.target.arch.multiarch)
    python = stage.lock.one("python3")
    byte_code = stage.provenance.made(
        tree, "python-byte-code", python.version, stage.provenance.licences_of(python.name)
    )
    if cross:
        stage.say("byte-code", "compiling Python's standard library; no compile cache: it needs the guest's processor")
        with byte_code:
            add_byte_code_from_outside(tree, cross.python(), stage.work / "byte-code")
        return tree, certificates
    root = stage.work / "guest-root"
    write_guest_root(tree, root)
    check_can_enter(root)
    _add_compile_cache(stage, tree, root)
    stage.say("byte-code", "compiling Python's standard library for the guest")
    with byte_code:
        add_byte_code(tree, root)
    return tree, certificates


def _add_compile_cache(stage: _Stage, tree: Tree, root: Path) -> None:
    stage.say("compile-cache", "running pi once to fill Node's compile cache")
    pi = stage.lock.one(recipe.NPM_PI)
    with stage.provenance.made(tree, "compile-cache", pi.version, stage.provenance.licences_of(pi.name)):
        add_compile_cache(tree, root)
    add_prefetch_list(tree)


def _debian_tree(stage: _Stage) -> Tree:
    packages = stage.lock.of_part("rootfs")
    stage.say("rootfs", f"unpacking {len(packages)} packages")
    tree = rootfs.empty_tree()
    for item in packages:
        with stage.provenance.measured(tree, item.name):
            unpack_deb(stage.cache.path_of(item.sha256), tree, rootfs.is_wanted)
    stage.provenance.add_debian(tree, "rootfs")
    return tree


def _add_npm(stage: _Stage, tree: Tree, helpers: tools.Tools) -> None:
    node = stage.lock.one(stage.target.arch.npm_node)
    with stage.provenance.measured(tree, node.name):
        add_node(tree, stage.path(node.name), helpers, stage.work)
    for item in stage.lock.of_part("pi"):
        with stage.provenance.measured(tree, item.name):
            pi_part.add_package(tree, item.name, stage.path(item.name))
    for item in (node, *stage.lock.of_part("pi")):
        stage.provenance.add_npm(item, stage.path(item.name))
    pi_part.check_pi(tree, node.version)


def _own_qemu_img(files: Sequence[PackFile], folder: Path) -> list[str]:
    """The pack's own qemu-img, laid out as in a pack: the image does not depend on the builder's version."""
    for file in files:
        if file.path.startswith("qemu/") and isinstance(file.content, bytes):
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            path.chmod(file.mode)
    loader, libraries = folder / pack_layout.QEMU_LOADER, folder / pack_layout.QEMU_LIB_DIR
    return [str(loader), "--library-path", str(libraries), str(folder / pack_layout.QEMU_IMG)]


def _seconds(created: str) -> int:
    return int(datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def pack_version(created: str) -> int:
    """YYYYMMDD of the lock, then two digits of the recipe's revision: grows with every new lock or recipe."""
    return int(created[:10].replace("-", "")) * 100 + recipe.RECIPE_REVISION


def _assemble(stage: _Stage, files: Sequence[PackFile], own: Mapping[str, str]) -> BuiltPack:
    options, lock, work, report = stage.options, stage.lock, stage.work, stage.report
    version = pack_version(lock.created)
    stem = f"pui-runtime-{stage.target.platform}-{version}"
    key = sign.load_or_make_key(options.key_path)
    payload = work / f"{stem}.tar.zst"
    written = write_archive(files, payload, options.level, report)
    sums = Payload(payload.name, written.size_bytes, written.sha256)
    components = {**_components(stage.target, lock), **own}
    manifest = _manifest(stage.target.platform, lock, files, sums, components)
    envelope = work / f"{stem}.envelope.json"
    envelope.write_bytes(sign.sign_manifest(render_manifest(manifest), key))
    report(Progress("done", written.size_bytes, written.size_bytes, f"{stem}: {written.size_bytes >> 20} MiB"))
    return BuiltPack(_publish(payload, options.out_dir), _publish(envelope, options.out_dir), manifest)


def _publish(file: Path, folder: Path) -> Path:
    """Copy beside the target, then rename: a reader sees the old file or the new one."""
    partial = folder / f".{file.name}.partial"
    with file.open("rb") as source, partial.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
    return partial.replace(folder / file.name)


def _components(target: Target, lock: Lock) -> dict[str, str]:
    """Versions by part name for people, then every input that gets into the pack as `SOURCE/NAME`."""
    names = {
        "kernel": "linux-image",
        "node": target.arch.npm_node,
        "pi": recipe.NPM_PI,
        "qemu": target.qemu_package,
        "virtiofsd": "virtiofsd",
    }
    headline = {part: lock.one(name).version for part, name in names.items()}
    inside = [item for item in lock.inputs if not item.is_build_only]
    return headline | {f"{item.kind.split('-')[0]}/{item.name}": item.version for item in inside}


def _manifest(
    platform: str, lock: Lock, files: Sequence[PackFile], payload: Payload, components: Mapping[str, str]
) -> Manifest:
    entries = tuple(
        sorted(
            (ManifestFile(file.path, file.size_bytes(), file.sha256(), file.mode) for file in files),
            key=lambda entry: entry.path,
        )
    )
    return Manifest(
        pack_version=pack_version(lock.created),
        platform=platform,
        created=lock.created,
        compatibility=Compatibility(recipe.APP_MIN, recipe.GUEST_PROTOCOL),
        components=components,
        files=entries,
        total_size_bytes=sum(entry.size_bytes for entry in entries),
        payload=payload,
    )
