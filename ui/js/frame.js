// @ts-check
/**
 * The frame: rail of tasks, the view that the route names, status strip, banners, toasts, dialogs, keys of every view.
 * In: route and store. Out: the page. Never: the content of a view.
 */
import { Component, html, useEffect } from "/vendor/preact.js";
import { link, retryNow } from "./bridge.js";
import { go, href, overlay, route } from "./router.js";
import { app, dropToast, liveCount, needsYouCount, packs, settings, setup, spoken, taskList, toasts } from "./store.js";
import { t } from "./strings.js";
import { useShortcuts } from "./keys.js";
import { bytes } from "./format.js";
import { Button, IconButton, Keys, Notice, Skeleton } from "./components/controls.js";
import { Questions } from "./components/dialog.js";
import { Icon } from "./components/icons.js";
import { EmulatedBadge, TaskMark, wordOf } from "./components/marks.js";
import { rove } from "./components/roving.js";
import { KeysHelp, Palette } from "./palette.js";
import { Place, isView, loadRest } from "./places.js";
import { TasksView } from "./views/tasks.js";

const RAIL_LIMIT = 200;

export function Frame() {
  useShortcuts([
    { keys: "mod+k", label: t("palette.title"), group: "go", run: () => (overlay.value = "palette") },
    { keys: "mod+n", label: t("new.title"), group: "go", run: () => go("new"), isHidden: true },
    { keys: "n", label: t("new.title"), group: "go", run: () => go("new") },
    { keys: "g t", label: t("tasks.title"), group: "go", run: () => go("tasks") },
    { keys: "g c", label: t("setup.title"), group: "go", run: () => go("setup") },
    { keys: "g s", label: t("settings.title"), group: "go", run: () => go("settings") },
    { keys: "mod+,", label: t("settings.title"), group: "go", run: () => go("settings"), isHidden: true },
    { keys: "g a", label: t("keys.next_attention"), group: "go", run: goToAttention },
    { keys: "[", label: t("keys.previous_task"), group: "go", run: () => step(-1) },
    { keys: "]", label: t("keys.next_task"), group: "go", run: () => step(1) },
    { keys: "?", label: t("keys.title"), group: "go", run: () => (overlay.value = "keys") },
  ]);
  useTitle();
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${skip}>${t("frame.skip")}</a>
    <${Rail} />
    <div class="stage">
      <${Banner} />
      <main id="main" tabindex="-1"><${Guarded} place=${route.value.path}><${View} /></${Guarded}></main>
      <${Status} />
    </div>
    <${Toasts} /><${Questions} />
    ${overlay.value === "palette" && html`<${Palette} />`}${overlay.value === "keys" && html`<${KeysHelp} />`}
    <div class="visually-hidden" role="status" aria-live="polite">${spoken.value}</div>
  </div>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function useTitle() {
  const waiting = needsYouCount.value;
  useEffect(() => {
    document.title = waiting ? `(${waiting}) pui` : "pui";
  }, [waiting]);
}

function goToAttention() {
  const first = taskList.value.find((row) => row.needs_you);
  if (first) go("task", first.task_id);
}

/** @param {number} by */
function step(by) {
  const rows = taskList.value;
  const at = rows.findIndex((row) => row.task_id === route.value.parts[1]);
  const next = rows[at < 0 ? 0 : (at + by + rows.length) % rows.length];
  if (next) go("task", next.task_id);
}

// the view

/** A view that throws leaves the frame standing and says so. */
class Guarded extends Component {
  /** @param {any} props */
  constructor(props) {
    super(props);
    this.state = { fault: null, place: "" };
  }

  /** @param {Error} error */
  componentDidCatch(error) {
    window.reportError(error);
    this.setState({ fault: error, place: /** @type {any} */ (this.props).place });
  }

  /** @param {any} props @param {any} state */
  render({ children, place: here }, { fault, place }) {
    if (!fault || place !== here) return children;
    return html`<div class="page"><${Notice} level="error" role="alert" title=${t("frame.broken_view")} actions=${html`<${Button} size="small" onClick=${() => window.location.reload()}>${t("frame.reload")}</${Button}>`}>${fault.message}</${Notice}></div>`;
  }
}

/** What the host takes for the name of a task; an address may say anything. */
const TASK_ID = /^[a-z0-9][a-z0-9-]{0,47}$/;

function View() {
  const { parts } = route.value;
  const isUp = !!app.value;
  useEffect(() => {
    if (isUp) loadRest();
  }, [isUp]);
  if (!isUp) return html`<div><div class="page"><${Skeleton} lines=${6} /></div></div>`;
  if (parts[0] === "task" && TASK_ID.test(parts[1] ?? "")) return html`<${Place} name="task" key=${parts[1]} taskId=${parts[1]} tab=${parts[2] || "conversation"} />`;
  if (isView(parts[0])) return html`<${Place} name=${parts[0]} key=${parts[0]} section=${parts[1]} />`;
  return html`<${TasksView} key="tasks" />`;
}

// the rail

function Rail() {
  const rows = taskList.value;
  const here = route.value.parts;
  return html`<nav class="rail" aria-label=${t("frame.rail")}>
    <header><a class="brand" href=${href("tasks")}><img src="/icon.svg" alt="" width="20" height="20" /><b>pui</b></a>
      <${IconButton} icon="search" label=${t("palette.title")} keys="mod+k" onClick=${() => (overlay.value = "palette")} /></header>
    <div class="rail-new"><a class="button primary" href=${href("new")}><${Icon} name="plus" size=${14} /><span>${t("new.title")}</span><${Keys} keys="n" /></a></div>
    <div class="rail-head"><a href=${href("tasks")} aria-current=${here[0] === "tasks" ? "page" : undefined}>${t("tasks.title")}</a>
      ${liveCount.value > 0 && html`<span class="count" title=${t("frame.live", { n: liveCount.value })}>${liveCount.value}</span>`}
      ${needsYouCount.value > 0 && html`<span class="count attention" title=${t("frame.need_you", { n: needsYouCount.value })}>${needsYouCount.value}</span>`}</div>
    <ul class="rail-list" onKeyDown=${rove}>
      ${rows.slice(0, RAIL_LIMIT).map((row) => html`<${RailTask} key=${row.task_id} row=${row} isHere=${here[0] === "task" && here[1] === row.task_id} />`)}
      ${app.value && !rows.length && html`<li class="rail-empty">${t("tasks.none_short")}</li>`}
    </ul>
    <footer><${RailLink} to="setup" icon="pulse" label=${t("setup.title")} here=${here[0]} mark=${setup.value && !setup.value.is_ready && !setup.value.is_checking} />
      <${RailLink} to="settings" icon="settings" label=${t("settings.title")} here=${here[0]} mark=${!!packs.value?.update && !packs.value.update.is_skipped} /></footer>
  </nav>`;
}

/** @param {{row: any, isHere: boolean}} props */
function RailTask({ row, isHere }) {
  const folder = row.folders[0]?.name;
  return html`<li><a data-stop href=${href("task", row.task_id)} aria-current=${isHere ? "page" : undefined} class=${row.needs_you ? "needs-you" : row.is_over ? "over" : ""}>
    <${TaskMark} row=${row} isSilent=${!!row.needs_you} /><span class="rail-text"><span class="ellipsis">${row.title}</span>
    <small class="ellipsis">${row.needs_you ? wordOf(row) : folder || t("folder.none")}</small></span></a></li>`;
}

/** @param {{to: string, icon: string, label: string, here: string, mark: any}} props */
const RailLink = ({ to, icon, label, here, mark }) =>
  html`<a href=${href(to)} aria-current=${here === to ? "page" : undefined}><${Icon} name=${icon} /><span>${label}</span>${mark && html`<i class="dot" role="img" aria-label=${t("frame.look_here")}></i>`}</a>`;

// banners, strip, toasts

function Banner() {
  if (link.value === "up") return null;
  if (link.value === "connecting") return html`<div class="banner quiet" role="status"><span class="spinner"></span>${t("link.connecting")}</div>`;
  const isTaken = link.value === "taken";
  const again = () => (isTaken ? window.location.reload() : retryNow());
  return html`<div class="banner error" role="alert"><${Icon} name="offline" /><span>${t(`link.${link.value}`)}</span>
    <${Button} size="small" onClick=${again}>${t(isTaken ? "link.reload" : "link.retry")}</${Button}></div>`;
}

function Status() {
  const found = setup.value;
  if (!found) return html`<footer class="status"></footer>`;
  const active = packs.value?.active;
  const job = packs.value?.job?.state === "running" ? packs.value.job : null;
  return html`<footer class="status" aria-label=${t("status.label")}>
    <a href=${href("setup")}>${acceleratorPart(found)}</a>
    <a href=${href("settings", "packs")}><${Icon} name="box" size=${13} />${job ? `${job.phase_label}${job.done_bytes ? ` ${bytes(job.done_bytes)}` : ""}` : active ? t("status.pack", { version: active.version }) : t("status.no_pack")}</a>
    <span class="status-part"><${Icon} name="chip" size=${13} />${t("status.machines", { n: liveCount.value, limit: found.limits.machine_limit })}</span>
    <span class="grow"></span>
    ${settings.value?.model && html`<a class="status-model" href=${href("settings", "models")}>${settings.value.model.model}</a>`}
    <button type="button" class="status-part" onClick=${() => (overlay.value = "keys")}>${t("keys.title")} <kbd>?</kbd></button>
  </footer>`;
}

/** @param {any} found SetupView */
function acceleratorPart(found) {
  if (found.is_checking) return html`<span class="spinner"></span>${t("status.checking")}`;
  if (!found.accelerator && !found.findings.some((/** @type {any} */ one) => one.code.startsWith("accel."))) return t("status.not_checked");
  if (!found.accelerator) return html`<span class="status-part bad"><${Icon} name="warning" size=${13} />${t("status.no_accelerator")}</span>`;
  if (found.accelerator.is_emulated) return html`<${EmulatedBadge} />`;
  return html`<${Icon} name="bolt" size=${13} />${found.accelerator.label}`;
}

function Toasts() {
  const icons = { info: "info", warning: "warning", error: "blocked" };
  return html`<div class="toasts" role="region" aria-label=${t("toast.region")} aria-live="polite">
    ${toasts.value.map((one) => html`<div key=${one.id} class="toast ${one.level}" role=${one.level === "error" ? "alert" : undefined}>
      <${Icon} name=${/** @type {any} */ (icons)[one.level] || "info"} /><div><p>${one.text}</p>${one.hint && html`<p class="hint">${one.hint}</p>`}</div>
      <${IconButton} icon="cross" label=${t("dialog.close")} onClick=${() => dropToast(one.id)} /></div>`)}
  </div>`;
}
