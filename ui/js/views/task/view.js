// @ts-check
/**
 * One task: header, and the tabs Conversation, Changes, State diagram, Diagnostics.
 *
 * In: the task's id and the tab of the route. Out: the page of the task. Never: two tasks at once.
 */
import "../../strings-task.js";
import { html, useEffect, useMemo } from "/vendor/preact.js";
import { Button, EmptyState, Notice, Skeleton } from "../../components/controls.js";
import { useShortcuts } from "../../keys.js";
import { go, href } from "../../router.js";
import { t } from "../../strings.js";
import { ChangesTab } from "./changes.js";
import { Conversation } from "./conversation.js";
import { DiagnosticsTab } from "./diagnostics.js";
import { DiagramTab } from "./diagram.js";
import { TaskHeader } from "./header.js";
import { forgetSession, sessionOf } from "./session.js";

/** @type {{id: string, View: any}[]} */
const TABS = [
  { id: "conversation", View: Conversation },
  { id: "changes", View: ChangesTab },
  { id: "diagram", View: DiagramTab },
  { id: "diagnostics", View: DiagnosticsTab },
];

/** @param {{taskId: string, tab: string}} props */
export function TaskView({ taskId, tab }) {
  const session = useMemo(() => sessionOf(taskId), [taskId]);
  const known = TABS.find((one) => one.id === tab) ?? TABS[0];
  useShortcuts(
    TABS.map((one, index) => ({ keys: String(index + 1), label: t(`task.tab.${one.id}`), group: "task", run: () => go("task", taskId, one.id) })),
  );
  const row = session.row.value;
  if (!row) return session.phase.value === "failed" ? html`<${Gone} session=${session} />` : html`<div class="page"><${Skeleton} lines=${7} /></div>`;
  return html`<div class="task-view">
    <${TaskHeader} session=${session} row=${row} />
    <${Tabs} taskId=${taskId} current=${known.id} row=${row} />
    ${session.phase.value === "failed" && html`<${Broken} session=${session} />`}
    <div class="task-panel" role="tabpanel" id="task-panel" aria-labelledby="tab-${known.id}">
      <${known.View} key=${known.id} session=${session} row=${row} />
    </div>
  </div>`;
}

/** @param {{taskId: string, current: string, row: any}} props */
function Tabs({ taskId, current, row }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = TABS.findIndex((one) => one.id === current);
    const next = TABS[(at + step + TABS.length) % TABS.length].id;
    go("task", taskId, next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${t("task.tabs")} onKeyDown=${move}>
    ${TABS.map((one, index) => html`<a key=${one.id} id="tab-${one.id}" role="tab" href=${href("task", taskId, one.id)} aria-selected=${String(one.id === current)}
      aria-controls="task-panel" tabindex=${one.id === current ? 0 : -1} title="${t(`task.tab.${one.id}`)} (${index + 1})">${t(`task.tab.${one.id}`)}${one.id === "changes" && html`<${ChangeCounts} row=${row} />`}</a>`)}
  </div>`;
}

/** @param {{row: any}} props */
function ChangeCounts({ row }) {
  return html`${row.changed_files > 0 && html`<span class="tab-count" aria-label=${t("task.tab.changed", { n: row.changed_files })}>${row.changed_files}</span>`}
    ${row.flagged_files > 0 && html`<span class="tab-count flagged" aria-label=${t("task.tab.flagged", { n: row.flagged_files })}>⚑ ${row.flagged_files}</span>`}`;
}

/** The row is known, what belongs to it could not be read. @param {{session: import("./session.js").TaskSession}} props */
function Broken({ session }) {
  const error = session.error.value;
  const again = html`<${Button} size="small" onClick=${() => session.open()}>${t("task.gone.again")}</${Button}>`;
  return html`<div class="task-broken"><${Notice} level="error" role="alert" title=${t("task.gone")} actions=${again}>${error?.message} ${error?.hint}</${Notice}></div>`;
}

/** @param {{session: import("./session.js").TaskSession}} props */
function Gone({ session }) {
  const error = session.error.value;
  useEffect(() => () => forgetSession(session.taskId), []);
  return html`<${EmptyState} icon="blocked" title=${t("task.gone")} actions=${html`<${Button} onClick=${() => session.open()}>${t("task.gone.again")}</${Button}><${Button} kind="quiet" onClick=${() => go("tasks")}>${t("tasks.title")}</${Button}>`}>
    <p>${error?.message}</p>${error?.hint && html`<p>${error.hint}</p>`}</${EmptyState}>`;
}
