// @ts-check
/**
 * What every state diagram has: the bar above it, and its chart, asked for again when something moves.
 *
 * In: charts to choose from, chart.get. Out: a bar; the newest ChartView. Never: a chart of its own.
 */
import { html, useEffect, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, IconButton, Segmented } from "../../components/controls.js";
import { t } from "../../strings.js";

const AGAIN_MS = 120;

/** @param {{charts: string[], chart: string, onChart: (chart: string) => void, isTable: boolean, onTable: (isTable: boolean) => void, control: {current: any}, children?: any}} props */
export function DiagramBar({ charts, chart, onChart, isTable, onTable, control, children }) {
  return html`<div class="diagram-bar">
    <${Segmented} label=${t("task.diagram.chart")} size="small" value=${chart} onChange=${onChart} options=${charts.map((value) => ({ value, label: t(`task.diagram.${value}`) }))} />
    <${Segmented} label=${t("task.diagram.view")} size="small" value=${isTable} onChange=${onTable} options=${[{ value: false, label: t("task.diagram.picture") }, { value: true, label: t("task.diagram.table") }]} />
    <span class="grow"></span>
    ${!isTable && html`<${IconButton} icon="minus" label=${t("task.diagram.zoom_out")} onClick=${() => control.current?.zoomOut()} /><${IconButton} icon="plus" label=${t("task.diagram.zoom_in")} onClick=${() => control.current?.zoomIn()} />
      <${Button} size="small" kind="quiet" onClick=${() => control.current?.fit()}>${t("task.diagram.fit")}</${Button}>`}
    ${children}
  </div>`;
}

/**
 * The chart with its way so far; asked for again when `stirred` changes, once for a burst of changes.
 * @param {() => any} question the parameters of chart.get @param {string} chart @param {any[]} stirred
 */
export function useChart(question, chart, stirred) {
  const [view, setView] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {any} */ (null));
  useEffect(() => {
    let isWanted = true;
    const ask = async () => {
      try {
        const found = await call("chart.get", question());
        if (isWanted) setView(found);
        if (isWanted) setFault(null);
      } catch (error) {
        if (isWanted) setFault(error);
      }
    };
    const timer = setTimeout(ask, view?.chart === chart ? AGAIN_MS : 0);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [chart, ...stirred]);
  return { view, fault };
}
