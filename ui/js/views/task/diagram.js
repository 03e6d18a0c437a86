// @ts-check
/**
 * The state diagram: the chart that runs, the way through it, the journal records behind each step.
 *
 * In: chart.get, the journal. Out: the tab; files the person wants. Never: a chart of its own, a layout.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, IconButton, Notice, Skeleton } from "../../components/controls.js";
import { MenuButton } from "../../components/menu.js";
import { clock, shortDuration } from "../../format.js";
import { now, orToast, toast, toastError } from "../../store.js";
import { t } from "../../strings.js";
import { ChartDrawing } from "./chart-drawing.js";
import { ChartTable } from "./chart-table.js";
import { ChosenPanel } from "./chosen-panel.js";
import { DiagramBar, useChart } from "./diagram-parts.js";
import { momentAfter } from "./diagram-trace.js";
import { saveFile } from "./save-file.js";

const CHARTS = ["task", "agent", "pack"];
const PNG_SCALE = 2;

/** @param {{session: import("./session.js").TaskSession, row: any}} props */
export function DiagramTab({ session, row }) {
  const [chart, setChart] = useState(session.keep.get("chart") ?? "task");
  const [isTable, setTable] = useState(false);
  const [chosen, choose] = useState(/** @type {any} */ (null));
  const [place, setPlace] = useState(/** @type {number|null} */ (null));
  const { view, fault } = useChart(() => whose(session, chart), chart, [session, stirs(session, chart)]);
  const control = useRef(/** @type {any} */ (null));
  useEffect(() => {
    orToast(session.loadJournal());
  }, [session]);
  const change = (/** @type {string} */ next) => {
    session.keep.set("chart", next);
    setChart(next);
    choose(null);
    setPlace(null);
  };
  const trace = view?.chart === chart ? view.trace : null;
  const initial = view?.boxes.find((/** @type {any} */ box) => box.is_initial)?.state ?? "";
  const moment = trace ? momentAfter(trace, initial, place ?? Infinity) : null;
  const isOver = chart === "task" ? row.is_over : !row.is_live;
  const liveMs = moment?.isNow && moment.since_ms !== null && !isOver ? Math.max(0, now.value - moment.since_ms) : 0;
  return html`<div class="diagram">
    <${DiagramBar} charts=${CHARTS} chart=${chart} onChart=${change} isTable=${isTable} onTable=${setTable} control=${control}>
      <${MenuButton} icon="download" label=${t("task.diagram.save")} items=${["svg", "png", "mermaid"].map((format) => ({ label: t(`task.diagram.save_${format}`), run: () => save(session, chart, format) }))} />
    </${DiagramBar}>
    ${fault && html`<${Notice} level="error" title=${fault.message}>${fault.hint}</${Notice}>`}
    <div class="diagram-stage">
      ${view?.chart !== chart ? !fault && html`<div class="diagram-loading"><${Skeleton} lines=${6} /></div>`
        : isTable ? html`<${ChartTable} view=${view} moment=${moment} liveMs=${liveMs} choose=${choose} />`
        : html`<${ChartDrawing} view=${view} moment=${moment} liveMs=${liveMs} chosen=${chosen} choose=${choose} label=${t("task.diagram.label", { name: t(`task.diagram.${chart}`) })} control=${control} />`}
      ${chosen && view && html`<${ChosenPanel} view=${view} chosen=${chosen} moment=${moment} records=${chart === "task" ? session.records.value : null} close=${() => choose(null)} />`}
    </div>
    ${view?.chart === chart && html`<${Scrub} view=${view} trace=${trace} moment=${moment} liveMs=${liveMs} isOver=${isOver} place=${place} setPlace=${setPlace} />`}
  </div>`;
}

/** Which chart, and whose way through it: the task's, or that of the runtime pack it runs on. @param {import("./session.js").TaskSession} session @param {string} chart */
function whose(session, chart) {
  if (chart !== "pack") return { chart, task_id: session.taskId };
  const pack = session.detail.value?.pack_id;
  return pack ? { chart, pack_id: pack } : { chart };
}

/** What moves the chart of `task` or `agent` or `pack`. @param {import("./session.js").TaskSession} session @param {string} chart */
function stirs(session, chart) {
  return chart === "agent" ? session.agent.value?.state : `${session.row.value?.state}/${session.detail.value?.visits.length ?? 0}`;
}

/** @param {{view: any, trace: any, moment: any, liveMs: number, isOver: boolean, place: number|null, setPlace: (place: number|null) => void}} props */
function Scrub({ view, trace, moment, liveMs, isOver, place, setPlace }) {
  if (!trace || !moment) return html`<div class="scrub"><span class="hint">${t("task.diagram.no_trace")}</span></div>`;
  const total = trace.steps.length;
  const at = place ?? total;
  const go = (/** @type {number} */ to) => setPlace(to >= total ? null : Math.max(0, to));
  const label = view.boxes.find((/** @type {any} */ box) => box.state === moment.current);
  const name = label?.label ?? moment.current;
  const step = moment.steps[moment.steps.length - 1];
  const words = label?.is_final ? t("task.diagram.ended", { state: name })
    : t(moment.isNow && !isOver ? "task.diagram.now" : "task.diagram.then", { state: name, time: shortDuration(Math.max(liveMs, moment.spent[moment.current] ?? 0)) });
  return html`<div class="scrub">
    <${IconButton} icon="chevron" class="back" label=${t("task.diagram.back")} disabled=${at === 0} onClick=${() => go(at - 1)} />
    <input type="range" min="0" max=${total} step="1" value=${at} aria-label=${t("task.diagram.path")} aria-valuetext="${t("task.diagram.scrub", { n: at, total })}: ${name}" onInput=${(/** @type {any} */ event) => go(Number(event.currentTarget.value))} />
    <${IconButton} icon="chevron" label=${t("task.diagram.on")} disabled=${at === total} onClick=${() => go(at + 1)} />
    <span class="scrub-words"><b class="num">${t("task.diagram.scrub", { n: at, total })}</b><span class="ellipsis">${words}</span>${step && html`<time class="hint">${clock(step.at_ms)}</time>`}</span>
    <${Button} size="small" kind=${place === null ? "quiet" : "plain"} disabled=${place === null} onClick=${() => setPlace(null)}>${t("task.diagram.live")}</${Button}>
  </div>`;
}

/** @param {import("./session.js").TaskSession} session @param {string} chart @param {string} format */
async function save(session, chart, format) {
  const made = await orToast(call("chart.export", { ...whose(session, chart), format: format === "mermaid" ? "mermaid" : "svg" }));
  if (!made) return;
  try {
    const isPng = format === "png";
    const blob = isPng ? await pngOf(made.text) : new Blob([made.text], { type: format === "svg" ? "image/svg+xml" : "text/plain" });
    const saved = await saveFile(blob, isPng ? made.name.replace(/\.svg$/, ".png") : made.name);
    if (saved) toast("info", t("task.diagram.saved", { name: saved }));
  } catch (error) {
    toastError(error);
  }
}

/** @param {string} svg the host's own drawing @returns {Promise<Blob>} */
async function pngOf(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * PNG_SCALE;
  canvas.height = image.naturalHeight * PNG_SCALE;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the diagram could not be drawn"))), "image/png"));
}
