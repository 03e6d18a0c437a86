// @ts-check
/**
 * Home: every task, those that wait for the person first.
 * In: taskList. Out: places and actions. Never: an action that the row's state does not allow.
 */
import { html, useEffect, useMemo, useRef, useState } from "/vendor/preact.js";
import { rename, taskActions } from "../actions.js";
import { inFamilies, originOf } from "../family.js";
import { count, money, shortPath } from "../format.js";
import { useShortcuts } from "../keys.js";
import { go, href } from "../router.js";
import { packs, setup, taskList } from "../store.js";
import { t } from "../strings.js";
import { Ago, Button, Elapsed, EmptyState, Notice, Segmented } from "../components/controls.js";
import { Icon } from "../components/icons.js";
import { EmulatedBadge, FolderChip, TaskMark, markOf, wordOf } from "../components/marks.js";
import { MenuButton } from "../components/menu.js";
import { rove } from "../components/roving.js";

const STEP = 100;
const GROUPS = /** @type {const} */ (["attention", "live", "waiting", "over"]);

/** @param {any} row */
function groupOf(row) {
  if (row.needs_you) return "attention";
  if (row.is_live || row.runs_elsewhere || row.state === "preflight") return "live";
  return row.is_over ? "over" : "waiting";
}

/** Every word of the query occurs somewhere in the row. @param {any} row @param {string} query */
export function matches(row, query) {
  const folders = row.folders.map((/** @type {any} */ one) => `${one.name} ${one.path}`).join(" ");
  const text = `${row.title} ${wordOf(row)} ${row.model.model} ${folders} ${row.outcome?.message || ""}`.toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export function TasksView() {
  const [query, setQuery] = useState("");
  const [filter, setFilter] = useState("all");
  const [limit, setLimit] = useState(STEP);
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  useShortcuts([{ keys: "/", label: t("tasks.search"), group: "tasks", run: () => search.current?.focus() }, ...ROW_KEYS]);
  const rows = taskList.value;
  const shown = useMemo(
    () => rows.filter((row) => (filter === "all" || groupOf(row) === filter) && matches(row, query)),
    [rows, filter, query],
  );
  if (!rows.length) return html`<div class="page"><h1 class="visually-hidden">${t("tasks.title")}</h1><${NoTasks} /></div>`;
  return html`<div class="page tasks-page">
    <header class="page-head"><h1>${t("tasks.title")}</h1></header>
    <div class="tasks-bar">
      <div class="search"><${Icon} name="search" size=${14} /><input type="search" ref=${search} aria-label=${t("tasks.search")} placeholder=${t("tasks.search")}
        value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.currentTarget.value)} onKeyDown=${leaveSearch} /><kbd aria-hidden="true">/</kbd></div>
      <${Segmented} label=${t("tasks.filter")} value=${filter} onChange=${setFilter} options=${filterOptions(rows)} />
    </div>
    <${NotReady} />
    <div class="task-groups" onKeyDown=${rove}>
      ${GROUPS.map((group) => html`<${Group} key=${group} group=${group} rows=${shown.slice(0, limit).filter((row) => groupOf(row) === group)} />`)}
      ${!shown.length && html`<p class="none" role="status">${t(query ? "tasks.no_match" : "tasks.none_here", { query })}
        <button type="button" class="link" onClick=${() => { setQuery(""); setFilter("all"); }}>${t("tasks.show_all")}</button></p>`}
      ${shown.length > limit && html`<${Button} kind="quiet" onClick=${() => setLimit(limit + STEP)}>${t("tasks.more", { n: shown.length - limit })}</${Button}>`}
    </div>
  </div>`;
}

/** @param {any} event */
function leaveSearch(event) {
  if (event.key !== "ArrowDown" && event.key !== "Escape") return;
  event.preventDefault();
  /** @type {HTMLElement | null} */ (document.querySelector(".task-groups [data-stop]"))?.focus();
}

/** @param {any[]} rows */
function filterOptions(rows) {
  return ["all", "attention", "live", "over"].map((value) => {
    const n = value === "all" ? rows.length : rows.filter((row) => groupOf(row) === value).length;
    return { value, label: html`${t(`tasks.filter_${value}`)} <span class="num faint">${n}</span>` };
  });
}

/** @param {{group: string, rows: any[]}} props */
function Group({ group, rows }) {
  if (!rows.length) return null;
  return html`<section aria-labelledby="group-${group}"><h2 id="group-${group}" class="group-title">${t(`tasks.group_${group}`)}</h2>
    <ul class="task-list card">${inFamilies(rows).map(({ row, depth }) => html`<${TaskRow} key=${row.task_id} row=${row} depth=${depth} />`)}</ul></section>`;
}

// a row and its keys

/** The row that has the focus acts on these. @type {import("../keys.js").Shortcut[]} */
const ROW_KEYS = [
  { keys: "r", label: t("action.rename"), group: "tasks", run: () => pressInRow("rename") },
  { keys: "s", label: t("keys.start_again"), group: "tasks", run: () => pressInRow("start", "retry", "again") },
  { keys: "f", label: t("action.finish"), group: "tasks", run: () => pressInRow("finish") },
  { keys: "x", label: t("keys.cancel_remove"), group: "tasks", run: () => pressInRow("cancel", "remove") },
];

/** @param {...string} ids the first that the row allows is run */
function pressInRow(...ids) {
  const row = document.activeElement?.closest("[data-task]");
  const taskId = row?.getAttribute("data-task");
  const found = taskList.value.find((one) => one.task_id === taskId);
  if (!found) return;
  if (ids[0] === "rename" && !found.runs_elsewhere) row?.dispatchEvent(new CustomEvent("rename"));
  taskActions(found).find((action) => ids.includes(action.id) && !action.disabled)?.run();
}

/** @param {{row: any, depth: number}} props `depth`: so many tasks of the list above are those that it comes from */
function TaskRow({ row, depth }) {
  const [isRenaming, setRenaming] = useState(false);
  const node = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const start = () => setRenaming(true);
    node.current?.addEventListener("rename", start);
    return () => node.current?.removeEventListener("rename", start);
  }, []);
  const actions = taskActions(row);
  const main = actions.find((one) => one.isMain);
  const rest = actions.filter((one) => one !== main);
  const items = [{ label: t("action.rename"), icon: "pencil", disabled: row.runs_elsewhere, title: row.runs_elsewhere ? t("elsewhere.reason") : undefined, run: () => setRenaming(true) }, ...rest];
  return html`<li class="task-row ${markOf(row)} ${depth ? `depth-${Math.min(depth, 6)}` : ""}" data-task=${row.task_id} ref=${node}>
    <${TaskMark} row=${row} size=${16} isSilent />
    <div class="task-main">
      ${isRenaming
        ? html`<${RenameInput} row=${row} onEnd=${() => setRenaming(false)} />`
        : html`<a class="task-title ellipsis" data-stop href=${href("task", row.task_id)} title=${row.title}>${row.title}</a>`}
      <div class="task-sub"><span class="task-word">${wordOf(row)}</span>${row.is_emulated && row.is_live && html`<${EmulatedBadge} />`}<${Files} row=${row} />${subline(row)}</div>
    </div>
    <${Facts} row=${row} />
    <div class="task-actions">
      ${main && html`<${Button} size="small" kind=${row.is_over ? "quiet" : "plain"} icon=${main.icon} disabled=${main.disabled} title=${main.title} onClick=${main.run}>${main.label}</${Button}>`}
      <${MenuButton} label=${t("action.more")} items=${items} />
    </div>
  </li>`;
}

/** @param {any} row */
function subline(row) {
  const isSad = row.is_over && row.outcome && row.outcome.result !== "completed" && row.outcome.result !== "cancelled";
  if (isSad) return html`<span class="ellipsis" title=${row.outcome.message}>${row.outcome.message}</span>`;
  return html`${row.continues && html`<span class="origin faint" title=${originOf(row)}><${Icon} name="branch" size=${11} /><span class="ellipsis">${originOf(row)}</span></span>`}
    ${row.folders.slice(0, 2).map((/** @type {any} */ one) => html`<${FolderChip} key=${one.path} folder=${one} />`)}
    ${row.folders.length > 2 && html`<span class="faint" title=${row.folders.map((/** @type {any} */ one) => shortPath(one.path)).join("\n")}>+${row.folders.length - 2}</span>`}
    <span class="ellipsis faint" title=${row.model.label}>${row.model.is_demo ? t("model.demo_short") : row.model.model}</span>
    ${row.network === "offline" && html`<span class="ellipsis faint" title=${t("network.offline_long")}>${t("network.offline")}</span>`}`;
}

/** What changed in the folders; files that this computer may run are loud. @param {{row: any}} props */
function Files({ row }) {
  if (!row.changed_files) return null;
  const words = t("tasks.changes", { n: row.changed_files });
  if (!row.flagged_files) return html`<span class="task-files">${words}</span>`;
  return html`<span class="flagged" title=${t("tasks.flagged", { n: row.flagged_files })}><${Icon} name="warning" size=${12} />${words}</span>`;
}

/** @param {{row: any}} props */
function Facts({ row }) {
  return html`<div class="task-facts">
    <span class="num" title=${row.tokens ? t("tasks.tokens", { total: count(row.tokens.total) }) : undefined}>${row.cost_usd ? money(row.cost_usd) : ""}</span>
    <span class="num task-time">${row.is_over ? html`<${Ago} at=${row.ended_ms || row.changed_ms} />` : html`<${Elapsed} since=${row.created_ms} />`}</span>
  </div>`;
}

/** @param {{row: any, onEnd: () => void}} props */
function RenameInput({ row, onEnd }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => input.current?.select(), []);
  let isOver = false;
  const finish = (/** @type {boolean} */ isKept) => {
    if (isOver) return;
    isOver = true;
    const title = input.current?.value.trim();
    if (isKept && title && title !== row.title) rename(row, title);
    onEnd();
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") finish(event.key === "Enter");
  };
  return html`<input ref=${input} class="rename" maxlength="200" aria-label=${t("action.rename")} defaultValue=${row.title} onKeyDown=${keydown} onBlur=${() => finish(true)} />`;
}

// nothing yet, not ready

function NoTasks() {
  const isReady = !!packs.value?.active && setup.value?.is_ready;
  const steps = ["runtime", "acceleration", "task"];
  if (!isReady && !setup.value?.is_checking) {
    return html`<${EmptyState} icon="box" title=${t("welcome.title")} actions=${html`<a class="button primary" href=${href("setup")}>${t("welcome.setup")}</a>`}>
      <p>${t("welcome.text")}</p><ol class="welcome-steps">${steps.map((step, index) => html`<li key=${step}><b>${index + 1}</b>${t(`welcome.step_${step}`)}</li>`)}</ol></${EmptyState}>`;
  }
  return html`<${EmptyState} icon="turn" title=${t("tasks.empty_title")} actions=${html`
      <a class="button primary" href=${href("new")}>${t("new.title")}</a>
      <a class="button" href="${href("new")}?demo=1">${t("tasks.try_demo")}</a>`}>
    <p>${t("tasks.empty_text")}</p></${EmptyState}>`;
}

function NotReady() {
  const found = setup.value;
  if (!found || found.is_ready || found.is_checking) return null;
  const first = found.findings.find((/** @type {any} */ one) => one.severity === "blocker");
  return html`<${Notice} level="warning" title=${first?.title || t("setup.not_ready")} actions=${html`<${Button} size="small" onClick=${() => go("setup")}>${t("setup.open")}</${Button}>`}>
    ${t("tasks.not_ready")}</${Notice}>`;
}
