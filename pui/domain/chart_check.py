"""Judges a statechart: every fault at once, at start-up and in the tests by the same function.

In: a parsed `Chart` and the names of the guards and activities that exist.
Out: a list of `Fault`, empty for a chart that may be executed.
Never: I/O, execution. It cannot see a feature that is missing: each promise is a story test as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pui.domain.statechart import DONE, FAILED, TIMED_OUT, Branch, Chart, Fault, State, pointer_to


def check_chart(chart: Chart, *, guards: Collection[str] | None, activities: Collection[str] | None) -> list[Fault]:
    """All faults, in the order of the file's places. None as a table of names: names are not judged.

    `transitions` itself accepts unknown states, guards and callbacks and fails only when they are fired.
    """
    faults = [*chart.faults]
    if chart.states:
        faults += _initial(chart)
        for state in chart.states.values():
            faults += _state(chart, state)
        faults += _graph(chart)
    if guards is not None:
        faults += _names(chart, "guard", chart.guards, guards)
    if activities is not None:
        faults += _names(chart, "activity", chart.activities, activities)
    return sorted(set(faults), key=lambda fault: (fault.place, fault.code, fault.message))


def _initial(chart: Chart) -> Iterator[Fault]:
    if chart.initial and chart.initial not in chart.states:
        yield Fault(chart.file, "/initial", "unknown-state", f"the initial state {chart.initial!r} does not exist")


def _state(chart: Chart, state: State) -> Iterator[Fault]:
    for branch in state.branches:
        yield from _branch(chart, state, branch)
    for trigger in state.triggers:
        yield from _order(chart, state.branches_of(trigger))
    for trigger in (DONE, FAILED, TIMED_OUT):
        yield from _always_leaves(chart, state.branches_of(trigger))
    if state.activity is not None and state.timeout_ms is None:
        place = pointer_to(state.place, "invoke")
        message = f"{state.name!r} invokes {state.activity!r} without a timeout: it could wait for ever"
        yield Fault(chart.file, place, "invoke-without-timeout", message)
    if state.is_final and (state.branches or state.activity or state.timeout_ms):
        message = f"the final state {state.name!r} has a way out, an activity or a timeout"
        yield Fault(chart.file, state.place, "final-with-exit", message)


def _branch(chart: Chart, state: State, branch: Branch) -> Iterator[Fault]:
    if branch.target not in chart.states:
        yield Fault(chart.file, branch.place, "unknown-state", f"{branch.target!r} is not a state of this chart")
    if branch.target == state.name:
        message = f"{state.name!r} leads to itself: XState would do nothing, this program would enter anew"
        yield Fault(chart.file, branch.place, "self-transition", message)


def _order(chart: Chart, branches: tuple[Branch, ...]) -> Iterator[Fault]:
    """The first branch that fits is taken, so nothing may follow an unguarded one or repeat a guard."""
    seen: set[str | None] = set()
    for branch in branches:
        if None in seen or branch.guard in seen:
            message = f"{branch.trigger!r} to {branch.target!r} is hidden behind an earlier branch"
            yield Fault(chart.file, branch.place, "hidden-transition", message)
        seen.add(branch.guard)


def _always_leaves(chart: Chart, branches: tuple[Branch, ...]) -> Iterator[Fault]:
    """What an activity or a timer reports happens once: if every guard fails then, the state never ends."""
    if branches and all(branch.guard is not None for branch in branches):
        last = branches[-1]
        message = f"every branch of {last.trigger!r} is guarded: if none holds, the report is lost"
        yield Fault(chart.file, last.place, "no-unguarded-branch", message)


def _graph(chart: Chart) -> Iterator[Fault]:
    after = {name: {branch.target for branch in state.branches} for name, state in chart.states.items()}
    before: dict[str, set[str]] = {}
    for source, targets in after.items():
        for target in targets:
            before.setdefault(target, set()).add(source)
    reachable = _closure({chart.initial} & set(chart.states), after)
    ending = _closure({name for name, state in chart.states.items() if state.is_final}, before)
    for name, state in chart.states.items():
        if chart.initial in chart.states and name not in reachable:
            yield Fault(chart.file, state.place, "unreachable", f"nothing leads to {name!r}")
        if not state.is_final and not state.branches:
            yield Fault(chart.file, state.place, "dead-end", f"{name!r} is not final and has no way out")
        elif not state.is_final and name not in ending:
            yield Fault(chart.file, state.place, "no-way-to-final", f"no path from {name!r} ends in a final state")


def _closure(start: set[str], edges: dict[str, set[str]]) -> set[str]:
    found, open_ = set(start), list(start)
    while open_:
        new = edges.get(open_.pop(), set()) - found
        found |= new
        open_ += sorted(new)
    return found


def _names(chart: Chart, kind: str, used: frozenset[str], known: Collection[str]) -> Iterator[Fault]:
    for name in sorted(set(known) - used):
        yield Fault(chart.file, "", f"unused-{kind}", f"the {kind} {name!r} exists, but no state names it")
    for place, name in _uses(chart, kind):
        if name not in known:
            yield Fault(chart.file, place, f"unknown-{kind}", f"there is no {kind} {name!r}")


def _uses(chart: Chart, kind: str) -> Iterator[tuple[str, str]]:
    for state in chart.states.values():
        if kind == "activity" and state.activity is not None:
            yield pointer_to(state.place, "invoke", "src"), state.activity
        if kind == "guard":
            yield from ((branch.place, branch.guard) for branch in state.branches if branch.guard is not None)
