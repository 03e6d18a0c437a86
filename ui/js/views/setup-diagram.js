// @ts-check
/**
 * The state diagrams of this computer's set-up and of its runtime, drawn from the charts that run.
 *
 * In: chart.get, the set-up and the packs as they change. Out: a part of the set-up view. Never: a chart of its own.
 */
import { html, useRef, useState } from "/vendor/preact.js";
import { Notice, Skeleton } from "../components/controls.js";
import { now, packs, setup } from "../store.js";
import "../strings-task.js";
import { t } from "../strings.js";
import { ChartDrawing } from "./task/chart-drawing.js";
import { ChartTable } from "./task/chart-table.js";
import { DiagramBar, useChart } from "./task/diagram-parts.js";
import { momentAfter } from "./task/diagram-trace.js";

const CHARTS = ["setup", "pack"];

export function SetupDiagram() {
  const [isOpen, setOpen] = useState(false);
  return html`<details class="setup-diagram" open=${isOpen} onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary>${t("setup.diagram")}</summary>${isOpen && html`<${Drawn} />`}</details>`;
}

function Drawn() {
  const [chart, setChart] = useState("setup");
  const [isTable, setTable] = useState(false);
  const pack = packs.value?.active;
  const stirred = `${setup.value?.is_checking}/${setup.value?.checked_ms}/${pack?.pack_id}/${pack?.state}`;
  const { view, fault } = useChart(() => (chart === "pack" && pack ? { chart, pack_id: pack.pack_id } : { chart }), chart, [stirred]);
  const control = useRef(/** @type {any} */ (null));
  const isHere = view?.chart === chart;
  const trace = isHere ? view.trace : null;
  const moment = trace ? momentAfter(trace, view.boxes.find((/** @type {any} */ box) => box.is_initial)?.state ?? "", Infinity) : null;
  const liveMs = moment && moment.since_ms !== null ? Math.max(0, now.value - moment.since_ms) : 0;
  const name = t(`task.diagram.${chart}`);
  return html`<div class="diagram">
    <${DiagramBar} charts=${CHARTS} chart=${chart} onChart=${setChart} isTable=${isTable} onTable=${setTable} control=${control} />
    ${fault && html`<${Notice} level="error" title=${fault.message}>${fault.hint}</${Notice}>`}
    <div class="diagram-stage">${!isHere ? !fault && html`<${Skeleton} lines=${6} />`
      : isTable ? html`<${ChartTable} view=${view} moment=${moment} liveMs=${liveMs} choose=${() => {}} />`
      : html`<${ChartDrawing} view=${view} moment=${moment} liveMs=${liveMs} chosen=${null} choose=${() => {}} label=${t("task.diagram.label", { name })} control=${control} />`}</div>
  </div>`;
}
