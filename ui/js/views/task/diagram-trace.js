// @ts-check
/**
 * The way through a chart as of any of its steps, and the journal records behind a step.
 *
 * In: ChartView.trace, journal records. Out: where the task stood after a step, times, chains of causes.
 * Never: the DOM, a clock (the time of the state that still lasts is given).
 */

/**
 * @typedef {{number: number, source: string, target: string, trigger: string, guard: string|null, at_ms: number,
 *   spent_ms: number, seq: number|null}} Step
 * @typedef {{current: string, steps: Step[], spent: Record<string, number>, visits: Record<string, number>,
 *   since_ms: number|null, isNow: boolean}} Moment
 */

/**
 * How it stood after the first `count` of the steps that are known.
 * @param {any} trace of a ChartView @param {string} initial @param {number} count
 * @returns {Moment}
 */
export function momentAfter(trace, initial, count) {
  const isNow = count >= trace.steps.length;
  const steps = isNow ? trace.steps : trace.steps.slice(0, count);
  const last = steps[steps.length - 1];
  const since = last ? last.at_ms : null;
  if (isNow) return { current: trace.current, steps, spent: trace.spent_ms, visits: trace.visits, since_ms: since, isNow };
  const first = trace.steps[0]?.source ?? initial;
  /** @type {Record<string, number>} */
  const spent = {};
  /** @type {Record<string, number>} */
  const visits = { [first]: 1 };
  for (const step of steps) {
    spent[step.source] = (spent[step.source] ?? 0) + step.spent_ms;
    visits[step.target] = (visits[step.target] ?? 0) + 1;
  }
  const next = trace.steps[count];
  const current = last ? last.target : first;
  // what it was going to stay there is known by now
  if (next) spent[current] = (spent[current] ?? 0) + next.spent_ms;
  return { current, steps, spent, visits, since_ms: since, isNow };
}

/**
 * The steps that one drawn line stands for.
 * @param {any} wire @param {Step[]} steps
 */
export function stepsOf(wire, steps) {
  const triggers = new Set(wire.triggers.map((/** @type {any} */ one) => one.trigger));
  return steps.filter((step) => step.source === wire.source && step.target === wire.target && triggers.has(step.trigger));
}

/**
 * A record and what led to it, the record first, the root last.
 * @param {any[]} records in order of seq @param {number} seq
 * @returns {any[]}
 */
export function causeChain(records, seq) {
  const bySeq = new Map(records.map((record) => [record.seq, record]));
  const chain = [];
  let at = bySeq.get(seq);
  while (at && chain.length < 64) {
    chain.push(at);
    // a cause is always older: a journal that says otherwise must not make a circle
    at = typeof at.cause === "number" && at.cause < at.seq ? bySeq.get(at.cause) : undefined;
  }
  return chain;
}

const HEAD = new Set(["seq", "at_ms", "at_ns", "type", "cause"]);
const MAX_TEXT = 300;

/**
 * The fields of a record in one line.
 * @param {any} record
 */
export function recordText(record) {
  if (record.type === "transition") return `${record.from ?? "?"} → ${record.to ?? "?"} · ${record.trigger ?? ""}${record.guard ? ` [${record.guard}]` : ""}`;
  const parts = Object.entries(record)
    .filter(([name, value]) => !HEAD.has(name) && value !== null && value !== "")
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  const text = parts.join(" · ");
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}
