"""What pi is doing, as statecharts/agent.json names it.

In: pi's decoded records (bounded by rpc.py), answers given by the person, the end of pi.
Out: the steps of a ChartMachine. Never: I/O, the content of a record beyond its type, method and id.

Records from the guest are untrusted: unknown ones have no effect, at most MAX_OPEN_QUESTIONS are remembered.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.chart_names import GUARDS
from pui.domain.events import JsonValue, Triggered
from pui.domain.machine import ChartMachine, Step
from pui.domain.statechart import Chart

MAX_OPEN_QUESTIONS = 64
_TRIGGER_BY_TYPE: Mapping[str, str] = {
    "agent_start": "run_started",
    "agent_settled": "run_settled",
    "compaction_start": "compaction_started",
    "compaction_end": "compaction_ended",
}
_BLOCKING_METHODS = frozenset({"select", "confirm", "input", "editor"})


def agent_trigger(record: Mapping[str, JsonValue]) -> str | None:
    """The trigger of agent.json that a record of pi pulls, or None. agent_end is none: a retry may follow it."""
    kind = record.get("type")
    if kind == "extension_ui_request" and record.get("method") in _BLOCKING_METHODS:
        return "question_asked"
    if kind == "response" and record.get("command") == "get_state" and record.get("success") is True:
        return "answered"
    return _TRIGGER_BY_TYPE.get(kind) if isinstance(kind, str) else None


class AgentView:
    """Follows one pi. Give it every record in order."""

    def __init__(self, chart: Chart) -> None:
        """`chart` is agent.json. Raises ValueError when it is not."""
        self._machine = ChartMachine(chart, GUARDS["agent"])
        self._run_is_open = False
        self._questions: set[str] = set()

    @property
    def state(self) -> str:
        """Name of a state of agent.json."""
        return self._machine.state

    @property
    def run_is_open(self) -> bool:
        """pi has said agent_start and not yet agent_settled."""
        return self._run_is_open

    @property
    def open_questions(self) -> frozenset[str]:
        """Ids of dialogs that still wait for an answer."""
        return frozenset(self._questions)

    def observe(self, record: Mapping[str, JsonValue]) -> Step | None:
        """Take a record of pi. The step when the state changed, else None."""
        trigger = agent_trigger(record)
        if trigger is None:
            return None
        if trigger == "run_started":
            self._run_is_open = True
        elif trigger == "run_settled":
            self._run_is_open = False
            self._questions.clear()  # pi closes its dialogs silently then (no record tells)
        elif trigger == "question_asked" and not self._remember(record.get("id")):
            return None
        return self._pull(trigger)

    def close_question(self, question_id: str) -> Step | None:
        """The person answered, or our own timer closed the dialog. The step when the state changed, else None."""
        self._questions.discard(question_id)
        return None if self._questions else self._pull("questions_closed")

    def exit(self) -> Step | None:
        """pi has ended. The step when the state changed, else None."""
        self._questions.clear()
        self._run_is_open = False
        return self._pull("exited")

    def _remember(self, question_id: JsonValue) -> bool:
        if not isinstance(question_id, str) or len(self._questions) >= MAX_OPEN_QUESTIONS:
            return False
        self._questions.add(question_id)
        return True

    def _pull(self, trigger: str) -> Step | None:
        step = self._machine.handle(Triggered(trigger), {"run_is_open": self._run_is_open})
        return step if step.outcome == "moved" else None
