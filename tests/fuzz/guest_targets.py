"""Whatever reads bytes of the guest, or of a QEMU that the guest took over.

In: any bytes, cut as their first byte says. Out: silence, or a finding. Never: I/O.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from pui.domain.agent_panel import AgentPanel
from pui.domain.conversation_export import Talk, to_html, to_markdown
from pui.domain.errors import CallerError, ProtocolError, PuiError
from pui.domain.folder_baseline import BaselineFault, parse_baseline, render_baseline
from pui.domain.folder_diff import FolderEntry, FolderSnapshot, diff_snapshots
from pui.domain.handshake import CtlDecoder
from pui.domain.journal import fold, parse_journal
from pui.domain.json_guard import DEPTH_LIMIT, ParsedJson, parse_json
from pui.domain.jsonl import JsonlDecoder, Oversized
from pui.domain.mux import DATA, FIN, OPEN, RESET, Data, MuxSession, Opened, frame
from pui.domain.pi_session import SESSION_LIMIT_BYTES, PiSession, read_session
from pui.domain.qcow2_header import ExpectedImage, check_qcow2_header
from pui.domain.qmp import QmpClient
from pui.domain.qmp_log import parse_qmp_log
from pui.domain.rpc import Dialog, PiRecord, RpcClient, RpcFault
from pui.domain.scrub import scrub_line, scrub_text
from pui.domain.session_cut import place_of, plan_cut
from pui.domain.statechart import Chart
from pui.domain.talk_search import TalkSearch
from pui.domain.transcript import Entry, Transcript, said_at_ms, shown_text
from pui.resources import load_chart
from tests.domain.test_qcow2_header import BACKING, FILE_SIZE, REAL
from tests.fuzz.target import Target, in_pieces, split_first

FOUND = b'{"at_ns":1,"entry":{"key":7,"kind":"text","text":"a Zebra","args":{"x":"zebra"},"said_ms":1}}\n'
LINE_LIMIT_BYTES = 64
PANEL_LIMIT_BYTES = 1 << 20
RECORDINGS = Path(__file__).parents[1] / "data" / "pi-rpc"
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def jsonl(data: bytes) -> None:
    step, stream = split_first(data)
    decoder = JsonlDecoder(LINE_LIMIT_BYTES)
    found = []
    for piece in in_pieces(stream, step + 1):
        found += decoder.feed(piece)
        assert decoder.pending_bytes <= LINE_LIMIT_BYTES
    lines = [item for item in found if not isinstance(item, Oversized)]
    wanted = [line for line in stream.split(b"\n")[:-1] if len(line) <= LINE_LIMIT_BYTES]
    assert lines == [line.removesuffix(b"\r") for line in wanted]


def json_line(data: bytes) -> None:
    parsed = parse_json(data)
    if not isinstance(parsed, ParsedJson):
        return
    assert _depth(parsed.value) <= DEPTH_LIMIT
    json.dumps(parsed.value, allow_nan=False).encode("ascii")
    json.dumps(parsed.value, ensure_ascii=False).encode("utf-8")  # no lone surrogate is left


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@cache
def _chart() -> Chart:
    return load_chart("agent")


def rpc(data: bytes) -> None:
    step, stream = split_first(data)
    client, transcript, panel = RpcClient(), Transcript(), AgentPanel(_chart())
    client.command("prompt", message="x")
    for name in ("get_state", "get_session_stats", "get_available_thinking_levels", "clear_queue"):
        client.command(name)
    is_dead = False
    for piece in in_pieces(stream, step * 8 + 1):
        for event in client.feed(piece):
            assert not is_dead, "an event after the end"
            is_dead = isinstance(event, RpcFault) and bool(event.fatal_code)
            panel.observe(event, 1)
            if isinstance(event, PiRecord):
                _shown(change.entry.text + change.entry.title for change in transcript.add(event))
            if isinstance(event, Dialog):
                assert client.answer(event.id, cancelled=True)
    client.stop()
    shown = json.dumps(panel.to_json(), allow_nan=False, ensure_ascii=False)
    assert len(shown.encode()) < PANEL_LIMIT_BYTES
    assert not ACTIVE.search(shown), "json.dumps escapes controls, so this is about direction and surrogates"


def pi_session(data: bytes) -> None:
    """What pi says of its own session, kept for the next machine, and the file of it that is read back."""
    with contextlib.suppress(CallerError):
        kept = read_session(data + b"\n")
        again = read_session(kept.to_lines())
        assert again.to_lines() == kept.to_lines()
        assert (again.entry_count, again.last_id) == (kept.entry_count, kept.last_id)
        assert kept.size_bytes == len(kept.to_lines()) <= SESSION_LIMIT_BYTES
        _branches(kept)
        entries = [json.loads(line) for line in kept.to_lines().splitlines()]
        cut = plan_cut([place_of(entry) for entry in entries])
        if cut is not None:
            rest = [entries[at] | ({"parentId": cut.parents[at]} if at in cut.parents else {}) for at in cut.kept]
            assert rest[-1]["id"] == kept.last_id and len(rest) < len(entries)
            assert PiSession().take(rest) == rest, "a cut session is none"
    parsed = parse_json(data)
    if isinstance(parsed, ParsedJson):
        PiSession().take(parsed.value.get("entries"))


def baseline(data: bytes) -> None:
    """The look before a task: names and texts of a folder, read back after a crash."""
    looks = parse_baseline(data.split(b"\n"))
    if isinstance(looks, BaselineFault):
        return
    assert parse_baseline(render_baseline(looks)) == looks
    for look in looks.values():
        if isinstance(look, FolderSnapshot):
            changes = diff_snapshots(look, FolderSnapshot({})).changes
            _shown(text for change in changes for text in (change.path, change.diff, change.warning))


def _branches(kept: PiSession) -> None:
    """Before each message of the person: whole in itself, and without the message."""
    for line in kept.to_lines().splitlines()[:20]:
        message = json.loads(line).get("message")
        if not isinstance(message, dict):
            continue
        said = Entry(1, "user", shown_text(message), said_ms=said_at_ms(message))
        with contextlib.suppress(CallerError):
            branch = kept.before(said)
            assert not branch.fault and branch.message_count < kept.message_count
            assert set(branch.to_lines().splitlines()) < set(kept.to_lines().splitlines())


def find(data: bytes) -> None:
    """A search in lines that others may have written, with a query that may be anything."""
    query, _, rest = data.partition(b"\n")
    search = TalkSearch(query.decode("utf-8", "replace")[:200] or "x")
    search.take_lines(rest.split(b"\n"), 2**53)
    assert all(hit.count > 0 and hit.key > 0 for hit in search.hits)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)


def export(data: bytes) -> None:
    """A conversation as a page: whatever the guest wrote is text in it."""
    text = scrub_text(data.decode("utf-8", "replace"))
    entries = [
        Entry(1, "user", text=text),
        Entry(2, "text", text=text),
        Entry(3, "tool", text=text, title=scrub_line(text), args={"command": text}, diff=text),
    ]
    talk = Talk(scrub_line(text), entries, is_whole=False)
    tags = _Tags()
    tags.feed(to_html(talk))
    assert tags.seen <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "em", "section", "pre"}
    assert tags.attributes <= {"lang", "charset", "http-equiv", "content", "class"}
    assert to_markdown(talk).startswith("# ")


def _shown(texts: Iterable[str]) -> None:
    assert not any(ACTIVE.search(text) for text in texts)


def qmp(data: bytes) -> None:
    step, stream = split_first(data)
    client = QmpClient()
    client.command("qmp_capabilities")
    client.command("query-status")
    for piece in in_pieces(stream, step + 1):
        client.feed(piece)


def control(data: bytes) -> None:
    step, stream = split_first(data)
    whole, cut = CtlDecoder(), CtlDecoder()
    pieces = [event for piece in in_pieces(stream, step + 1) for event in cut.feed(piece)]
    assert whole.feed(stream) == pieces, "it matters how the lines are cut"


def qcow2(data: bytes) -> None:
    image = data[:65536]
    faults = check_qcow2_header(image, FILE_SIZE, ExpectedImage(BACKING, 1 << 30))
    if faults:
        assert all(fault.isprintable() for fault in faults)
        return
    offset, length = struct.unpack_from(">QI", image, 8)
    assert image[offset : offset + length] == BACKING.encode(), "another backing file passes"
    assert struct.unpack_from(">Q", image, 72)[0] == 0, "an incompatible feature passes"


def mux(data: bytes) -> None:
    step, stream = split_first(data)
    session, ended = MuxSession(), False
    received: dict[int, int] = {}
    for piece in in_pieces(stream, step * 16 + 1):
        try:
            events = session.feed(piece)
        except ProtocolError as error:
            assert error.code == "protocol.remote"
            ended = True
            continue
        assert not (ended and events), "events after a broken frame"
        for event in events:
            if isinstance(event, Opened):
                session.send(event.stream, b"answer" * 50)
            if isinstance(event, Data):
                received[event.stream] = received.get(event.stream, 0) + len(event.data)
                session.consumed(event.stream, len(event.data) // 2)
        assert len(session.open_streams) <= 64
    session.take_outgoing()


def scrub(data: bytes) -> None:
    text = data.decode("utf-8", "surrogatepass") if _is_utf8(data) else data.decode("latin-1")
    once = scrub_text(text)
    assert scrub_text(once) == once
    assert not ACTIVE.search(once)
    line = scrub_line(text)
    assert len(line) <= 200 and "\n" not in line and not ACTIVE.search(line)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def journal(data: bytes) -> None:
    with contextlib.suppress(PuiError):
        fold(parse_journal(data).records)


def qmp_log(data: bytes) -> None:
    """The file is pui's own, but its words are QEMU's: what is read back can be written again."""
    for event in parse_qmp_log(data):
        json.dumps(vars(event), allow_nan=False)


def _rpc_seeds() -> Sequence[bytes]:
    return [b"\xff" + _received(path, limit_bytes=6000) for path in sorted(RECORDINGS.glob("*.jsonl"))]


def _received(path: Path, limit_bytes: int) -> bytes:
    """What pi said in a recording; LF alone ends a row."""
    rows = (json.loads(line) for line in path.read_bytes().decode().split("\n") if line)
    said = (json.dumps(row["msg"]).encode() + b"\n" for row in rows if row["dir"] == "pi>")
    return b"".join(line for line in said if len(line) < limit_bytes)[: 2 * limit_bytes]


def _lines() -> list[bytes]:
    return [
        line
        for path in sorted(RECORDINGS.glob("*.jsonl"))[:8]
        for line in _received(path, 2000).split(b"\n")[:6]
        if line
    ]


GREETING = b'{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7}},"capabilities":[]}}\r\n'
REPLIES = b'{"return":{},"id":1}\r\n{"error":{"class":"GenericError","desc":"no"},"id":2}\r\n'
EVENT = b'{"event":"BLOCK_IO_ERROR","data":{"nospace":true},"timestamp":{"seconds":1,"microseconds":2}}\r\n'
HELLO = b"hello proto=1 guest=0.1 kernel=6.1 uptime_ms=900\nmark stage=ports uptime_ms=1\nok id=3 pid=7\n"
CONTROL = HELLO + b"error id=4 code=exec message=no%20such\nstderr data=%00%ff\nexited code=0\nexited signal=9\n"
JOURNAL = (
    b'{"seq":1,"at_ns":5,"type":"created","cause":null,"spec":{}}\n'
    b'{"seq":2,"at_ns":6,"type":"transition","cause":1,"from":"created","to":"preflight","trigger":"start"}\n'
    b'{"seq":3,"at_ns":7,"type":"acquired","cause":2,"name":"qemu","kind":"process","pid":1}\n'
    b'{"seq":4,"at_ns":8,"type":"outcome","cause":3,"result":"failed","code":"launch.qemu_exit"}\n'
)
LOOK = FolderSnapshot(
    {
        "a.sh": FolderEntry("file", 2, (2, -1, 2**64 - 1), True, "x\n"),
        "\udcff/Makefile": FolderEntry("link", 0, (1,), target="../\udcfe"),
    },
    is_complete=False,
)
STREAMS = frame(1, OPEN) + frame(1, DATA, b"GET / HTTP/1.1\r\n\r\n") + frame(2, OPEN) + frame(1, FIN) + frame(2, RESET)
SESSION = (
    b'{"type":"model_change","id":"a1","parentId":null,"timestamp":"2026-01-02T03:04:05.000Z"}\n'
    b'{"type":"message","id":"b2","parentId":"a1","timestamp":"2026-01-02","message":{"role":"user","content":"x"}}\n'
    b'{"type":"compaction","id":"c3","parentId":"b2","timestamp":"2026-01-02","firstKeptEntryId":"b2"}\n'
    b'{"type":"custom","id":"d4","parentId":"c3","timestamp":"2026-01-02","customType":"x"}'
)
MARKUP = b"# x\n```\n<script>\n```\n<img src=x onerror=y> ![a](b) </pre></section><!-- &lt; ~~~ `` <svg/onload=1>"
TEXT = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eabc \u2028 \x85 \x9b1m \U000e0041".encode()

TARGETS = (
    Target("jsonl", jsonl, lambda: [b"\x05a\nb\r\n" + b"x" * 70 + b"\nc\n"]),
    Target(
        "json-line", json_line, lambda: [*_lines(), b'{"a":"\\ud800","b":1e999}', b'{"a":' + b"[" * 70], is_json=True
    ),
    Target("rpc", rpc, _rpc_seeds, limit_bytes=16_384),
    Target(
        "pi-session", pi_session, lambda: [SESSION, b'{"entries":[%s]}' % SESSION.replace(b"\n", b",")], is_json=True
    ),
    Target(
        "baseline",
        baseline,
        lambda: [b"\n".join(render_baseline({"/x": LOOK, "/y": "no"})), b"\n".join(render_baseline({"/x": LOOK}))],
        limit_bytes=2048,
    ),
    Target("find", find, lambda: [b"zebra\n" + JOURNAL, b"zebra\n" + FOUND], limit_bytes=2048),
    Target("export", export, lambda: [TEXT, MARKUP], limit_bytes=1024),
    Target("qmp", qmp, lambda: [b"\xff" + GREETING + REPLIES + EVENT, b"\0" + EVENT]),
    Target("control", control, lambda: [b"\xff" + CONTROL, b"\x03" + HELLO]),
    Target("qcow2", qcow2, lambda: [REAL[:1024], REAL], limit_bytes=2048),
    Target("mux", mux, lambda: [b"\xff" + STREAMS, b"\0" + STREAMS]),
    Target("scrub", scrub, lambda: [TEXT], limit_bytes=2048),
    Target("journal", journal, lambda: [JOURNAL]),
    Target(
        "qmp-log",
        qmp_log,
        lambda: [b'{"at_us":1,"event":"STOP","data":{"a":[1]}}\n{"at_us":2,"event":"X","data":"y"}\n'],
    ),
)
