// @ts-check
/**
 * What happened below the conversation: boot by stage, logs, QMP events, the journal with its causes.
 *
 * In: DiagnosticsView, the journal. Out: the tab; a redacted bundle. Never: a log that is not scrubbed (the host did).
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, CopyButton, IconButton, Notice, Skeleton } from "../../components/controls.js";
import { bytes, clock, shortDuration } from "../../format.js";
import { orToast, toast } from "../../store.js";
import { t } from "../../strings.js";
import { Journal } from "./journal-table.js";

/** The stages that have words in the catalogue (pui/domain/boot_timeline.py); another is shown as it is. */
const STAGES = ["qemu", "firmware", "init", "modules", "root", "pid1", "ports", "configured", "spawn", "answer", "kernel", "hello"];
const SECTIONS = ["overview", "journal", "serial", "qemu", "qmp", "app"];

/** @param {{session: import("./session.js").TaskSession, row: any}} props */
export function DiagnosticsTab({ session, row }) {
  const [section, setSection] = useState(session.keep.get("diagnostics") ?? "overview");
  const [view, setView] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {any} */ (null));
  const read = async () => {
    try {
      setView(await call("task.diagnostics", { task_id: session.taskId }));
      setFault(null);
    } catch (error) {
      setFault(error);
    }
  };
  useEffect(() => {
    orToast(session.loadJournal());
  }, [session]);
  useEffect(() => {
    read();
  }, [session, row.state]);
  const choose = (/** @type {string} */ next) => {
    session.keep.set("diagnostics", next);
    setSection(next);
  };
  return html`<div class="diagnostics">
    <div class="diag-bar"><${Sections} current=${section} choose=${choose} /><span class="grow"></span>
      <${IconButton} icon="retry" label=${t("task.diag.refresh")} onClick=${read} />
      <${Button} size="small" icon="download" title=${t("task.diag.bundle_meaning")} onClick=${() => saveBundle(session.taskId)}>${t("task.diag.bundle")}</${Button}></div>
    ${fault && html`<div class="pad"><${Notice} level="error" title=${fault.message}>${fault.hint}</${Notice}></div>`}
    <div class="diag-body" id="diag-body" role="tabpanel" aria-labelledby="diag-${section}">
      ${section === "journal" ? html`<${Journal} session=${session} />` : !view ? !fault && html`<div class="pad"><${Skeleton} lines=${5} /></div>` : html`<${Part} section=${section} view=${view} />`}
    </div></div>`;
}

/** @param {string} taskId */
async function saveBundle(taskId) {
  const done = await orToast(call("task.bundle", { task_id: taskId }));
  if (done?.saved) toast("info", t("task.diag.saved", { name: done.saved }));
}

/** @param {{current: string, choose: (section: string) => void}} props */
function Sections({ current, choose }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = SECTIONS[(SECTIONS.indexOf(current) + step + SECTIONS.length) % SECTIONS.length];
    choose(next);
    document.getElementById(`diag-${next}`)?.focus();
  };
  return html`<div class="sub-tabs" role="tablist" aria-label=${t("task.diag.sections")} onKeyDown=${move}>${SECTIONS.map((one) => html`<button type="button" role="tab" key=${one} id="diag-${one}"
    aria-selected=${String(one === current)} aria-controls="diag-body" tabindex=${one === current ? 0 : -1} onClick=${() => choose(one)}>${t(`task.diag.${one}`)}</button>`)}</div>`;
}

/** @param {{section: string, view: any}} props */
function Part({ section, view }) {
  if (section === "serial") return html`<${Log} text=${view.serial} label=${t("task.diag.serial")} />`;
  if (section === "qemu") return html`<${Log} text=${view.qemu_log} label=${t("task.diag.qemu")} />`;
  if (section === "app") return html`<${Log} text=${view.app_log} label=${t("task.diag.app")} />`;
  if (section === "qmp") return html`<${QmpEvents} events=${view.qmp_events} />`;
  return html`<div class="diag-overview"><${Boot} boot=${view.boot} /><${States} states=${view.states} /><${Files} files=${view.files} /></div>`;
}

/** The stages of the boot on one axis of time. @param {{boot: any[]}} props */
function Boot({ boot }) {
  if (!boot.length) return html`<section><h2>${t("task.diag.boot")}</h2><p class="hint">${t("task.diag.no_boot")}</p></section>`;
  const first = boot[0].at_ms;
  const last = boot.reduce((end, one) => Math.max(end, one.at_ms + one.spent_ms), first + 1);
  return html`<section><h2>${t("task.diag.boot")} <span class="hint num">${shortDuration(last - first)} ${t("task.diag.total")}</span></h2>
    <table class="bars"><thead class="visually-hidden"><tr><th>${t("task.diag.stage")}</th><th>${t("task.diag.since_start")}</th><th>${t("task.diagram.spent")}</th></tr></thead>
      <tbody>${boot.map((one) => html`<tr key=${one.stage}><th scope="row"><${Stage} name=${one.stage} /></th>
        <td class="track"><span class="bar" style=${{ left: `${((one.at_ms - first) / (last - first)) * 100}%`, width: `${Math.max(0.4, (one.spent_ms / (last - first)) * 100)}%` }} title="+${shortDuration(one.at_ms - first)}"></span></td>
        <td class="num">${shortDuration(one.spent_ms)}</td></tr>`)}</tbody></table></section>`;
}

/** In words, its technical name small beside them. @param {{name: string}} props */
const Stage = ({ name }) => (STAGES.includes(name) ? html`${t(`task.boot.${name}`)} <small>${name}</small>` : name);

/** @param {{states: any[]}} props */
function States({ states }) {
  const most = states.reduce((longest, one) => Math.max(longest, one.spent_ms), 1);
  return html`<section><h2>${t("task.diag.states")}</h2><table class="bars"><tbody>${states.map((one) => html`<tr key=${one.state}><th scope="row">${one.label}</th>
    <td class="track"><span class="bar soft" style=${{ left: "0", width: `${Math.max(0.4, (one.spent_ms / most) * 100)}%` }}></span></td><td class="num">${shortDuration(one.spent_ms)}</td></tr>`)}</tbody></table></section>`;
}

/** @param {{files: any[]}} props */
const Files = ({ files }) =>
  html`<section><h2>${t("task.diag.files")}</h2><dl class="files">${files.map((one) => html`<div key=${one.name}><dt><code>${one.name}</code></dt><dd class="num">${bytes(one.size_bytes)}</dd></div>`)}</dl></section>`;

/** @param {{text: string, label: string}} props */
function Log({ text, label }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // the end says how it went
    if (place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [text]);
  if (!text) return html`<p class="hint pad">${t("task.diag.empty")}</p>`;
  return html`<div class="log-text"><${CopyButton} text=${text} /><pre ref=${place} tabindex="0" aria-label=${label}>${text}</pre></div>`;
}

/** @param {{events: any[]}} props */
function QmpEvents({ events }) {
  if (!events.length) return html`<p class="hint pad">${t("task.diag.empty")}</p>`;
  return html`<div class="table-scroll" tabindex="0" role="group" aria-label=${t("task.diag.qmp")}><table class="grid"><thead><tr><th scope="col">${t("task.diag.time")}</th><th scope="col">${t("task.diag.event")}</th><th scope="col">${t("task.diag.detail")}</th></tr></thead>
    <tbody>${events.map((one, index) => html`<tr key=${index}><td class="num">${clock(one.at_ms)}</td><td><code>${one.name}</code></td><td class="break">${one.text}</td></tr>`)}</tbody></table></div>`;
}
