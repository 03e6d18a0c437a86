"""What pi is doing, followed through its records; hostile ones have no effect.

In: records as pi writes them. Out: verdicts. Never: a real pi.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pui.domain.agent_view import MAX_OPEN_QUESTIONS, AgentView, agent_trigger
from pui.domain.events import JsonValue
from pui.resources import load_chart

CHART = load_chart("agent")
READY: dict[str, JsonValue] = {"type": "response", "command": "get_state", "success": True, "data": {}}


def asking(number: int) -> dict[str, JsonValue]:
    return {"type": "extension_ui_request", "id": f"q{number}", "method": "confirm", "title": "Sure?"}


def idle_view() -> AgentView:
    view = AgentView(CHART)
    view.observe(READY)
    return view


def states(view: AgentView, *records: dict[str, JsonValue]) -> Iterator[str]:
    for record in records:
        view.observe(record)
        yield view.state


def test_a_run_lasts_until_it_has_settled() -> None:
    records: list[dict[str, JsonValue]] = [{"type": "agent_start"}, {"type": "agent_end"}, {"type": "agent_settled"}]
    assert list(states(AgentView(CHART), READY, *records)) == ["idle", "streaming", "streaming", "idle"]


def test_compaction_goes_back_to_where_it_came_from() -> None:
    start: dict[str, JsonValue] = {"type": "compaction_start", "reason": "manual"}
    end: dict[str, JsonValue] = {"type": "compaction_end"}
    assert list(states(idle_view(), start, end)) == ["compacting", "idle"]
    assert list(states(idle_view(), {"type": "agent_start"}, start, end))[1:] == ["compacting", "streaming"]
    settled: dict[str, JsonValue] = {"type": "agent_settled"}
    assert list(states(idle_view(), {"type": "agent_start"}, start, settled, end))[-1] == "idle"


def test_questions_stay_open_until_the_last_one_is_closed() -> None:
    view = idle_view()
    assert list(states(view, {"type": "agent_start"}, asking(1), asking(2)))[-1] == "waiting-for-answer"
    assert view.close_question("q1") is None
    assert view.state == "waiting-for-answer"
    step = view.close_question("q2")
    assert step is not None
    assert (step.target, step.guard) == ("streaming", "run_is_open")


def test_settling_closes_open_questions() -> None:
    view = idle_view()
    assert list(states(view, {"type": "agent_start"}, asking(1), {"type": "agent_settled"}))[-1] == "idle"
    assert view.open_questions == frozenset()


@pytest.mark.parametrize("records", [[], [READY], [READY, {"type": "agent_start"}], [READY, asking(1)]])
def test_pi_may_end_in_any_state(records: list[dict[str, JsonValue]]) -> None:
    view = AgentView(CHART)
    list(states(view, *records))
    assert view.exit() is not None
    assert view.state == "exited"
    assert view.exit() is None
    assert view.observe({"type": "agent_start"}) is None


@pytest.mark.parametrize("method", ["notify", "setStatus", "setWidget", "setTitle", "set_editor_text", 3, None])
def test_notices_want_no_answer(method: JsonValue) -> None:
    assert agent_trigger({"type": "extension_ui_request", "id": "x", "method": method}) is None


@pytest.mark.parametrize("changed", [{"success": False}, {"command": "prompt"}, {"success": "true"}])
def test_only_a_good_answer_to_get_state_makes_pi_usable(changed: dict[str, JsonValue]) -> None:
    assert agent_trigger(READY | changed) is None


def test_a_flood_of_questions_is_bounded() -> None:
    view = idle_view()
    for number in range(MAX_OPEN_QUESTIONS * 3):
        view.observe(asking(number))
    assert len(view.open_questions) == MAX_OPEN_QUESTIONS
    assert view.observe({"type": "extension_ui_request", "id": ["x"], "method": "select"}) is None


VALUES: st.SearchStrategy[JsonValue] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
)
KINDS = st.sampled_from(["agent_start", "agent_settled", "compaction_start", "compaction_end", "response"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"type": KINDS | VALUES, "method": VALUES, "id": VALUES, "command": VALUES, "success": VALUES}
        )
    )
)
def test_no_record_of_the_guest_makes_it_fall(records: list[dict[str, JsonValue]]) -> None:
    view = AgentView(CHART)
    for record in records:
        view.observe(record)
        assert view.state in CHART.states
