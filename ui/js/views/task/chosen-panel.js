// @ts-check
/**
 * What is known of the line, the state or the step that was chosen in the diagram: journal records and their causes.
 *
 * In: ChartView, Moment, records. Out: elements beside the drawing. Never: a guess where the journal is silent.
 */
import { html, useEffect, useRef } from "/vendor/preact.js";
import { IconButton } from "../../components/controls.js";
import { clock, moment as fullTime, shortDuration } from "../../format.js";
import { t } from "../../strings.js";
import { keyOf, timeoutText } from "./chart-drawing.js";
import { triggerText } from "./chart-table.js";
import { causeChain, recordText, stepsOf } from "./diagram-trace.js";

const SHOWN_STEPS = 12;

/** @param {{view: any, chosen: any, moment: any, records: any[]|null, close: () => void}} props `records` null: this chart has no journal */
export function ChosenPanel({ view, chosen, moment, records, close }) {
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => root.current?.focus({ preventScroll: true }), [chosen]);
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  };
  const body = chosen.state ? stateBody(view, chosen.state, moment) : chosen.wire ? wireBody(view, chosen.wire, moment, records) : stepBody(moment, chosen.step, records);
  return html`<aside class="chosen" ref=${root} tabindex="-1" onKeyDown=${keydown} aria-label=${body.title}>
    <header><h3>${body.title}</h3><${IconButton} icon="cross" label=${t("task.diagram.close")} onClick=${close} /></header>${body.content}</aside>`;
}

/** @param {any} view @param {string} state @param {any} moment */
function stateBody(view, state, moment) {
  const box = view.boxes.find((/** @type {any} */ one) => one.state === state);
  const refusals = view.trace?.refusals[state] ?? 0;
  const facts = [
    ["activity", box.activity && html`<code>${box.activity}</code>`],
    ["timeout", box.timeout_ms !== null && timeoutText(box.timeout_ms)],
    ["visits", moment?.visits[state]],
    ["spent", moment?.spent[state] ? shortDuration(moment.spent[state]) : null],
  ].filter(([, value]) => value);
  const wires = view.wires.filter((/** @type {any} */ wire) => wire.source === state);
  return {
    title: box.label,
    content: html`<p>${box.description}</p><dl>${facts.map(([name, value]) => html`<div key=${name}><dt>${t(`task.diagram.${name}`)}</dt><dd>${value}</dd></div>`)}</dl>
      ${refusals > 0 && html`<p class="hint">${t("task.diagram.refused", { n: refusals })}</p>`}
      ${wires.length > 0 && html`<h4>${t("task.diagram.ways_out")}</h4><ul class="ways">${wires.map((/** @type {any} */ wire) => html`<li key=${keyOf(wire)}><code>${wire.triggers.map(triggerText).join(", ")}</code> → ${wire.target}</li>`)}</ul>`}`,
  };
}

/** @param {any} view @param {string} key @param {any} moment @param {any[]|null} records */
function wireBody(view, key, moment, records) {
  const wire = view.wires.find((/** @type {any} */ one) => keyOf(one) === key);
  const steps = wire && moment ? stepsOf(wire, moment.steps) : [];
  return {
    title: wire ? `${wire.source} → ${wire.target}` : "",
    content: html`<p><code>${wire?.triggers.map(triggerText).join(", ")}</code></p>
      ${!steps.length && html`<p class="hint">${t("task.diagram.not_taken")}</p>`}
      ${steps.slice(-SHOWN_STEPS).map((step) => html`<${StepRecord} key=${step.number} step=${step} records=${records} />`)}`,
  };
}

/** @param {any} moment @param {number} number @param {any[]|null} records */
function stepBody(moment, number, records) {
  const step = moment?.steps.find((/** @type {any} */ one) => one.number === number);
  return { title: step ? `${step.source} → ${step.target}` : "", content: step && html`<${StepRecord} step=${step} records=${records} />` };
}

/** @param {{step: any, records: any[]|null}} props */
function StepRecord({ step, records }) {
  const chain = step.seq && records ? causeChain(records, step.seq) : [];
  return html`<section class="step-record"><h4>${t("task.diagram.taken", { n: step.number, source: step.source, target: step.target })}</h4>
    <p class="num"><time title=${fullTime(step.at_ms)}>${clock(step.at_ms)}</time> · ${t("task.diagram.after", { time: shortDuration(step.spent_ms) })}</p>
    ${chain.length > 0 ? html`<p class="hint">${t("task.diagram.cause")}</p><ol class="cause-chain">${chain.map((record) => html`<${ChainRecord} key=${record.seq} record=${record} />`)}</ol>`
      : html`<p class="hint">${t(records ? "task.diagram.no_record" : "task.diagram.no_records_kept")}</p>`}</section>`;
}

/** @param {{record: any}} props */
const ChainRecord = ({ record }) =>
  html`<li><details><summary><span class="num">${record.seq}</span> <b>${record.type}</b> <span>${recordText(record)}</span></summary><pre>${JSON.stringify(record, null, 2)}</pre></details></li>`;
