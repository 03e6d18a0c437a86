// @ts-check
/**
 * The state diagrams of this computer's set-up and of its runtime, drawn from the charts that run.
 *
 * In: chart.get, the set-up and the packs as they change. Out: a part of the set-up view. Never: a chart of its own.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { Button, IconButton, Notice, Segmented, Skeleton } from "../components/controls.js";
import { now, packs, setup } from "../store.js";
import "../strings-task.js";
import { t } from "../strings.js";
import { ChartDrawing } from "./task/chart-drawing.js";
import { ChartTable } from "./task/chart-table.js";
import { momentAfter } from "./task/diagram-trace.js";

export function SetupDiagram() {
  const [isOpen, setOpen] = useState(false);
  return html`<details class="setup-diagram" open=${isOpen} onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary>${t("setup.diagram")}</summary>${isOpen && html`<${Drawn} />`}</details>`;
}

function Drawn() {
  const [chart, setChart] = useState("setup");
  const [isTable, setTable] = useState(false);
  const { view, fault } = useChart(chart);
  const control = useRef(/** @type {any} */ (null));
  const isHere = view?.chart === chart;
  const trace = isHere ? view.trace : null;
  const moment = trace ? momentAfter(trace, view.boxes.find((/** @type {any} */ box) => box.is_initial)?.state ?? "", Infinity) : null;
  const liveMs = moment && moment.since_ms !== null ? Math.max(0, now.value - moment.since_ms) : 0;
  const name = t(`task.diagram.${chart}`);
  return html`<div class="diagram">
    <div class="diagram-bar">
      <${Segmented} label=${t("task.diagram.chart")} size="small" value=${chart} onChange=${setChart} options=${["setup", "pack"].map((value) => ({ value, label: t(`task.diagram.${value}`) }))} />
      <${Segmented} label=${t("task.diagram.view")} size="small" value=${isTable} onChange=${setTable} options=${[{ value: false, label: t("task.diagram.picture") }, { value: true, label: t("task.diagram.table") }]} />
      <span class="grow"></span>
      ${!isTable && html`<${IconButton} icon="minus" label=${t("task.diagram.zoom_out")} onClick=${() => control.current?.zoomOut()} /><${IconButton} icon="plus" label=${t("task.diagram.zoom_in")} onClick=${() => control.current?.zoomIn()} />
        <${Button} size="small" kind="quiet" onClick=${() => control.current?.fit()}>${t("task.diagram.fit")}</${Button}>`}
    </div>
    ${fault && html`<${Notice} level="error" title=${fault.message}>${fault.hint}</${Notice}>`}
    <div class="diagram-stage">${!isHere ? !fault && html`<${Skeleton} lines=${6} />`
      : isTable ? html`<${ChartTable} view=${view} moment=${moment} liveMs=${liveMs} choose=${() => {}} />`
      : html`<${ChartDrawing} view=${view} moment=${moment} liveMs=${liveMs} chosen=${null} choose=${() => {}} label=${t("task.diagram.label", { name })} control=${control} />`}</div>
  </div>`;
}

/** The chart with its way so far; asked for again when the set-up or the packs have moved. @param {string} chart */
function useChart(chart) {
  const [view, setView] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {any} */ (null));
  const pack = packs.value?.active;
  const stirred = `${setup.value?.is_checking}/${setup.value?.checked_ms}/${pack?.pack_id}/${pack?.state}`;
  useEffect(() => {
    let isWanted = true;
    call("chart.get", chart === "pack" && pack ? { chart, pack_id: pack.pack_id } : { chart }).then(
      (found) => {
        if (isWanted) setView(found);
        if (isWanted) setFault(null);
      },
      (error) => isWanted && setFault(error),
    );
    return () => {
      isWanted = false;
    };
  }, [chart, stirred]);
  return { view, fault };
}
