// @ts-check
/**
 * What can be done with a task, by its row: one table for the list, the palette and the task's own header.
 * In: TaskRow. Out: actions with words. Never: an action that its state does not allow.
 */
import { call } from "./bridge.js";
import { confirm } from "./components/dialog.js";
import { go, route } from "./router.js";
import { orToast, toast } from "./store.js";
import { t } from "./strings.js";

/**
 * `disabled` comes with a `title` that says why.
 * @typedef {{id: string, label: string, icon: string, isDanger?: boolean, isMain?: boolean, disabled?: boolean, title?: string, run: () => Promise<void>}} TaskAction
 */

/** What only reads. */
const HARMLESS = new Set(["export_md", "export_html"]);

/** @param {string} id @param {any} row @param {string} icon @param {Partial<TaskAction>} [rest] @returns {TaskAction} */
const plain = (id, row, icon, rest = {}) => ({
  id,
  icon,
  label: t(`action.${id}`),
  run: async () => {
    await orToast(call(`task.${id}`, { task_id: row.task_id }));
  },
  ...rest,
});

/** The actions of its state, the most likely first; another pui's task is not ours to act on. @param {any} row TaskRow @returns {TaskAction[]} */
export function taskActions(row) {
  const list = actionsOf(row);
  if (!row.runs_elsewhere) return list;
  return list.map((one) => (HARMLESS.has(one.id) ? one : { ...one, disabled: true, title: t("elsewhere.reason") }));
}

/** @param {any} row @returns {TaskAction[]} */
function actionsOf(row) {
  /** @type {TaskAction[]} */
  const list = [];
  if (row.state === "created") list.push(plain("start", row, "play", { isMain: true }));
  if (row.state === "setup-required") list.push(plain("retry", row, "retry", { isMain: true }));
  if (row.state === "running" && row.is_interactive !== false) list.push(plain("finish", row, "check", { isMain: row.needs_you === "turn" }));
  if (!row.is_over && row.state !== "teardown") list.push(plain("cancel", row, "stop", { isDanger: true, run: () => cancelTask(row) }));
  if (row.can_continue) list.push(plain("continue", row, "send", { run: async () => go("task", row.task_id) }));
  if (row.is_over) list.push(plain("again", row, "again", { isMain: true, run: () => again(row) }));
  if (row.state !== "created") for (const format of ["md", "html"]) list.push(plain(`export_${format}`, row, "download", { run: () => exportTalk(row, format) }));
  if (row.is_over) list.push(plain("remove", row, "trash", { isDanger: true, run: () => removeTask(row) }));
  return list;
}

/** @param {any} row */
async function cancelTask(row) {
  const isAsked = row.state === "running";
  const what = { title: t("cancel.title"), lines: [t("cancel.line", { title: row.title })], yes: t("action.cancel"), isDanger: true };
  if (!isAsked || (await confirm(what))) await orToast(call("task.cancel", { task_id: row.task_id }));
}

/** @param {any} row */
async function again(row) {
  const made = await orToast(call("task.again", { task_id: row.task_id }));
  if (made) go("task", made.task_id);
}

/** The conversation as a file: the host asks where. @param {any} row @param {string} format */
async function exportTalk(row, format) {
  const done = await orToast(call("task.export", { task_id: row.task_id, format }));
  if (done?.saved) toast("info", t("export.saved", { name: done.saved }));
}

/** @param {any} row */
async function removeTask(row) {
  const what = { title: t("remove.title"), lines: [t("remove.line", { title: row.title }), t("remove.folders")], yes: t("action.remove"), isDanger: true };
  if (!(await confirm(what))) return;
  const isHere = route.value.parts[1] === row.task_id;
  const done = await orToast(call("task.remove", { task_id: row.task_id }));
  if (done && isHere) go("tasks");
}

/** @param {any} row @param {string} title */
export const rename = (row, title) => orToast(call("task.rename", { task_id: row.task_id, title }));
