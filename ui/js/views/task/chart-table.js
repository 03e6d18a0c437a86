// @ts-check
/**
 * The chart and the way through it as tables: for screen readers, and for who would rather read.
 *
 * In: ChartView, Moment. Out: elements. Never: less than the drawing says.
 */
import { html } from "/vendor/preact.js";
import { clock, shortDuration } from "../../format.js";
import { t } from "../../strings.js";
import { keyOf, timeoutText } from "./chart-drawing.js";

/** @param {{view: any, moment: any, liveMs: number, choose: (what: any) => void}} props */
export function ChartTable({ view, moment, liveMs, choose }) {
  return html`<div class="chart-table" tabindex="0" role="group" aria-label=${t("task.diagram.table")}>
    <table class="grid"><caption>${view.description || view.title}</caption>
      <thead><tr><th scope="col">${t("task.diagram.state")}</th><th scope="col">${t("task.diagram.activity")}</th><th scope="col">${t("task.diagram.timeout")}</th><th scope="col" class="num">${t("task.diagram.visits")}</th><th scope="col" class="num">${t("task.diagram.spent")}</th><th scope="col">${t("task.diagram.ways_out")}</th></tr></thead>
      <tbody>${view.boxes.map((/** @type {any} */ box) => html`<${StateRow} key=${box.state} box=${box} view=${view} moment=${moment} liveMs=${liveMs} choose=${choose} />`)}</tbody></table>
    ${moment && moment.steps.length > 0 && html`<table class="grid"><caption>${t("task.diagram.path")}</caption>
      <thead><tr><th scope="col" class="num">${t("task.diag.seq")}</th><th scope="col">${t("task.diagram.at")}</th><th scope="col">${t("task.diagram.from_to")}</th><th scope="col">${t("task.diagram.trigger")}</th><th scope="col" class="num">${t("task.diagram.spent")}</th></tr></thead>
      <tbody>${moment.steps.map((/** @type {any} */ step) => html`<tr key=${step.number}><td class="num">${step.number}</td><td class="num">${clock(step.at_ms)}</td>
        <td><button type="button" class="text-button" onClick=${() => choose({ step: step.number })}>${step.source} → ${step.target}</button></td><td>${step.trigger}${step.guard ? ` [${step.guard}]` : ""}</td><td class="num">${shortDuration(step.spent_ms)}</td></tr>`)}</tbody></table>`}
  </div>`;
}

/** @param {{box: any, view: any, moment: any, liveMs: number, choose: (what: any) => void}} props */
function StateRow({ box, view, moment, liveMs, choose }) {
  const isCurrent = moment?.current === box.state;
  const wires = view.wires.filter((/** @type {any} */ wire) => wire.source === box.state);
  const spent = Math.max(isCurrent ? liveMs : 0, moment?.spent[box.state] ?? 0);
  return html`<tr class=${isCurrent ? "current" : ""} aria-current=${isCurrent ? "true" : undefined}>
    <th scope="row"><button type="button" class="text-button" onClick=${() => choose({ state: box.state })}>${box.label}</button> <code>${box.state}</code>${isCurrent && html` <b class="now-mark">${t("task.diagram.live")}</b>`}${box.is_final && html` <small>${t("task.diagram.final")}</small>`}</th>
    <td><code>${box.activity ?? "–"}</code></td><td>${box.timeout_ms === null ? "–" : timeoutText(box.timeout_ms)}</td>
    <td class="num">${moment?.visits[box.state] ?? 0}</td><td class="num">${spent ? shortDuration(spent) : "–"}</td>
    <td>${wires.map((/** @type {any} */ wire) => html`<div key=${keyOf(wire)}><button type="button" class="text-button" onClick=${() => choose({ wire: keyOf(wire) })}>${wire.triggers.map(triggerText).join(", ")} → ${wire.target}</button></div>`)}</td></tr>`;
}

/** @param {{trigger: string, guard: string|null}} one */
export const triggerText = (one) => `${one.trigger}${one.guard ? ` [${one.guard}]` : ""}`;
