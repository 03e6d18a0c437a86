// Replays events in the real XState.
// In (stdin): {"charts": {id: chart}, "walks": [{"chart": id, "events": [{"trigger", "facts", "of"}]}]}; `of` names the
// state whose activity or timer reports. Out (stdout): for each walk the state after each event. Never: a side effect.
import { readFileSync } from "node:fs";
import { createMachine, initialTransition, transition } from "xstate";

const { charts, walks } = JSON.parse(readFileSync(0, "utf8"));

function guardNames(value) {
  if (Array.isArray(value)) return value.flatMap(guardNames);
  if (value === null || typeof value !== "object") return [];
  const own = typeof value.guard === "string" ? [value.guard] : [];
  return [...own, ...Object.values(value).flatMap(guardNames)];
}

function machineOf(chart) {
  const guards = {};
  for (const name of guardNames(chart)) guards[name] = ({ event }) => event.facts[name] === true;
  return createMachine(chart).provide({ guards });
}

function eventType(chart, { trigger, of }) {
  if (trigger === "done") return `xstate.done.actor.0.${chart.id}.${of}`;
  if (trigger === "failed") return `xstate.error.actor.0.${chart.id}.${of}`;
  if (trigger !== "timed_out") return trigger;
  const [delay] = Object.keys(chart.states[of].after ?? { none: "" });
  return `xstate.after.${delay}.${chart.id}.${of}`;
}

const machines = Object.fromEntries(Object.entries(charts).map(([id, chart]) => [id, machineOf(chart)]));
const answers = walks.map((walk) => {
  const machine = machines[walk.chart];
  let [snapshot] = initialTransition(machine);
  return walk.events.map((event) => {
    [snapshot] = transition(machine, snapshot, { type: eventType(charts[walk.chart], event), facts: event.facts });
    if (snapshot.status === "error") throw new Error(`xstate fell into an error: ${JSON.stringify(event)}`);
    return snapshot.value;
  });
});
process.stdout.write(JSON.stringify(answers));
