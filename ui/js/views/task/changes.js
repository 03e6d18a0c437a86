// @ts-check
/**
 * What the task changed in the person's folders since it began: flagged files first and loud, then the rest.
 *
 * In: ChangesView. Out: the tab. Never: a file that is opened or run; the host compared them without running anything.
 */
import { html, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { EmptyState, IconButton, Notice, Segmented, Skeleton } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { ago, moment } from "../../format.js";
import { useShortcuts } from "../../keys.js";
import { now } from "../../store.js";
import { t } from "../../strings.js";
import { diffTable } from "../../text/diff-view.js";
import { fileList } from "./changed-files.js";

/** How diffs are shown, for all tasks, until the page is closed. */
const mode = signal(/** @type {"unified"|"split"} */ ("unified"));

/** @param {{session: import("./session.js").TaskSession, row: any}} props */
export function ChangesTab({ session, row }) {
  const { view, fault, isLooking, look } = useChanges(session, row);
  const [query, setQuery] = useState("");
  const [wanted, setWanted] = useState(/** @type {string|null} */ (session.keep.get("file") ?? null));
  const files = useMemo(() => (view ? fileList(view, query) : []), [view, query]);
  const at = Math.max(0, files.findIndex((file) => file.id === wanted));
  const file = files[at];
  const choose = (/** @type {any} */ one) => {
    session.keep.set("file", one.id);
    setWanted(one.id);
  };
  const step = (/** @type {number} */ by) => files.length && choose(files[Math.max(0, Math.min(files.length - 1, at + by))]);
  useShortcuts([
    { keys: "j", label: t("task.changes.next"), group: "task", run: () => step(1) },
    { keys: "k", label: t("task.changes.previous"), group: "task", run: () => step(-1) },
  ]);
  if (!row.folders.length) return html`<${EmptyState} icon="folder" title=${t("task.changes.no_folder")}>${t("task.changes.no_folder_text")}</${EmptyState}>`;
  if (fault && !view) return html`<div class="page"><${Notice} level="error" title=${fault.message}>${fault.hint}</${Notice}></div>`;
  if (!view) return html`<div class="page"><p class="hint" role="status">${t("task.changes.loading")}</p><${Skeleton} lines=${6} /></div>`;
  const all = query ? fileList(view, "") : files;
  const aside = html`<${Look} view=${view} isLooking=${isLooking} look=${look} />`;
  if (!all.length) return html`<${NothingToShow} view=${view} aside=${aside} />`;
  return html`<div class="changes">
    <section class="changes-list" aria-label=${t("task.changes.list")}>
      <div class="changes-head"><input type="search" value=${query} placeholder=${t("task.changes.search")} aria-label=${t("task.changes.search")} onInput=${(/** @type {any} */ event) => setQuery(event.currentTarget.value)} /></div>
      <${Totals} files=${all} aside=${aside} />
      <${Remarks} view=${view} />
      <${FileList} files=${files} file=${file} choose=${choose} />
    </section>
    ${file && html`<${FileDiff} key=${file.id} file=${file} />`}
  </div>`;
}

/** @param {import("./session.js").TaskSession} session @param {any} row */
function useChanges(session, row) {
  const [view, setView] = useState(/** @type {any} */ (session.keep.get("changes") ?? null));
  const [fault, setFault] = useState(/** @type {any} */ (null));
  const [isLooking, setLooking] = useState(false);
  const look = async () => {
    setLooking(true);
    try {
      const found = await call("task.changes", { task_id: session.taskId });
      session.keep.set("changes", found);
      setView(found);
      setFault(null);
    } catch (error) {
      setFault(error);
    }
    setLooking(false);
  };
  // looked at when the tab opens, when a run is over and when the task ends; in between when the person asks
  const busy = session.agent.value?.is_busy;
  useEffect(() => {
    if (row.folders.length) look();
  }, [session, row.is_over, busy]);
  return { view, fault, isLooking, look };
}

/** When the folders were compared. @param {any} view */
function lookedAt(view) {
  if (view.is_late) return t("task.changes.late", { time: ago(view.at_ms, Math.max(now.value, view.at_ms)) });
  return view.is_final ? t("task.changes.final") : t("task.changes.as_of", { time: ago(view.at_ms, Math.max(now.value, view.at_ms)) });
}

/** @param {{view: any, isLooking: boolean, look: () => void}} props */
const Look = ({ view, isLooking, look }) =>
  html`<span class="look"><span class="hint" title=${moment(view.at_ms)}>${lookedAt(view)}</span>
    ${!view.is_final && html`<${IconButton} icon="retry" class="small" label=${t("task.changes.refresh")} disabled=${isLooking} onClick=${look} />`}</span>`;

/** A note says why there is nothing to compare, but of a late comparison. @param {any} view */
const isCompared = (view) => !view.note || view.is_late;

/** What is not known is never shown as "nothing has changed". @param {{view: any, aside: any}} props */
function NothingToShow({ view, aside }) {
  if (!isCompared(view) || view.folders.every((/** @type {any} */ one) => one.read_only || one.reason)) return html`<${EmptyState} icon="folder" title=${t("task.changes.unknown")} actions=${!view.is_final && aside}><${Remarks} view=${view} /></${EmptyState}>`;
  return html`<${EmptyState} icon="check" title=${t("task.changes.none")} actions=${aside}>${t("task.changes.none_text")}<${Remarks} view=${view} /></${EmptyState}>`;
}

/** What to know of the comparison, then of each folder that was not compared wholly. @param {{view: any}} props */
function Remarks({ view }) {
  const partly = view.folders.filter((/** @type {any} */ one) => one.reason || (!one.is_complete && isCompared(view)));
  return html`${view.note && html`<p class="hint changes-note" role="note">${view.note}</p>`}
    ${partly.map((/** @type {any} */ one) => html`<p class="warning-text" key=${one.path}><${Icon} name="warning" size=${13} /> ${one.name}: ${one.reason || t("task.changes.incomplete")}</p>`)}`;
}

/** @param {{files: any[], aside: any}} props */
function Totals({ files, aside }) {
  const flagged = files.filter((file) => file.warning).length;
  const sum = (/** @type {"added"|"removed"} */ name) => files.reduce((total, file) => total + (file[name] || 0), 0);
  return html`<div class="changes-totals"><span>${t("task.changes.total", { n: files.length })} <span class="plus">+${sum("added")}</span> <span class="minus">−${sum("removed")}</span></span>${aside}</div>
    ${flagged > 0 && html`<div class="flag-banner" role="alert"><${Icon} name="warning" size=${14} /><strong>${t("task.changes.flagged", { n: flagged })}</strong></div>`}`;
}

/** @param {{files: any[], file: any, choose: (file: any) => void}} props */
function FileList({ files, file, choose }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  }, [file?.id]);
  const groups = [...new Set(files.map((one) => one.group))];
  return html`<div class="file-list" ref=${list}>
    ${!files.length && html`<p class="hint pad">${t("task.changes.no_match")}</p>`}
    ${groups.map((group) => html`<section key=${group}>${group !== "" && html`<h3 class="ellipsis" title=${files.find((one) => one.group === group)?.folder.path}><${Icon} name="folder" size=${12} />${files.find((one) => one.group === group)?.folder.name}</h3>`}
      <ul>${files.filter((one) => one.group === group).map((one) => html`<${FileItem} key=${one.id} file=${one} isCurrent=${one === file} choose=${choose} />`)}</ul></section>`)}
  </div>`;
}

/** @param {{file: any, isCurrent: boolean, choose: (file: any) => void}} props */
const FileItem = ({ file, isCurrent, choose }) =>
  html`<li><button type="button" class="file-item ${file.warning ? "is-flagged" : ""}" aria-current=${String(isCurrent)} title=${file.path} onClick=${() => choose(file)}>
    <span class="change-mark ${file.change}" role="img" aria-label=${t(`task.changes.${file.change}`)}>${{ added: "+", removed: "−", changed: "•" }[/** @type {"added"} */ (file.change)]}</span>
    <span class="file-name"><b class="ellipsis">${file.name}</b>${file.dir && html`<small class="ellipsis">${file.dir}</small>`}${file.warning && html`<em>${file.warning}</em>`}</span>
    <span class="file-counts num">${file.added > 0 && html`<span class="plus">+${file.added}</span>`}${file.removed > 0 && html`<span class="minus">−${file.removed}</span>`}</span></button></li>`;

/** @param {{file: any}} props */
function FileDiff({ file }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (file.diff) place.current?.replaceChildren(diffTable(file.diff, mode.value));
  }, [file, mode.value]);
  const options = /** @type {const} */ (["unified", "split"]).map((value) => ({ value, label: t(`task.changes.${value}`) }));
  return html`<section class="file-diff" aria-label=${file.path}>
    <header><div class="file-title"><h2 class="ellipsis" title="${file.folder.path}/${file.path}">${file.path}</h2><span class="hint">${t(`task.changes.${file.change}`)} · ${file.folder.name}</span></div>
      <${Segmented} label=${t("task.changes.mode")} size="small" value=${mode.value} options=${options} onChange=${(/** @type {any} */ value) => (mode.value = value)} /></header>
    ${file.warning && html`<div class="flag-banner" role="note"><${Icon} name="warning" size=${14} /><div><strong>${t("task.changes.flag")}</strong> ${file.warning}</div></div>`}
    ${file.diff ? html`<div class="diff-place" ref=${place}></div>` : html`<p class="hint pad">${t("task.changes.no_diff")}</p>`}
  </section>`;
}
