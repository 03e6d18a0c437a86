// @ts-check
/**
 * The views, loaded when they are first shown, or once the page is at rest. The start waits for the list of tasks alone,
 * which comes with the frame; so does what takes keys at once (palette.js).
 * In: a name. Out: what it names; a skeleton until it is there, words if it cannot come. Never: the content of a view.
 */
import { html, useLayoutEffect, useState } from "/vendor/preact.js";
import { Notice, Skeleton } from "./components/controls.js";
import { t } from "./strings.js";

/** @type {Record<string, () => Promise<any>>} */
const LOADERS = {
  new: async () => (await import("./views/new-task.js")).NewTaskView,
  setup: async () => (await import("./views/setup.js")).SetupView,
  settings: async () => (await import("./views/settings.js")).SettingsView,
  task: async () => (await import("./views/task/view.js")).TaskView,
};
const REST_MS = 1000;

/** @type {Map<string, any>} */
const loaded = new Map();

/** @param {string} name */
async function load(name) {
  if (!loaded.has(name)) loaded.set(name, await LOADERS[name]());
}

/** Whether a route may name it. @param {string} name */
export const isView = (name) => ["new", "setup", "settings"].includes(name);

/** @param {{name: string} & Record<string, any>} props those beside `name` are the view's */
export function Place({ name, ...props }) {
  const [fault, setFault] = useState("");
  const [, setCount] = useState(0);
  useLayoutEffect(() => {
    if (!loaded.has(name)) load(name).then(() => setCount((count) => count + 1), (error) => setFault(String(error.message)));
  }, [name]);
  const Found = loaded.get(name);
  if (Found) return html`<${Found} ...${props} />`;
  if (fault) return html`<div class="page"><${Notice} level="error" title=${t("frame.broken_view")}>${fault}</${Notice}></div>`;
  return html`<div class="page"><${Skeleton} lines=${6} /></div>`;
}

/** What was not shown a while after the start, so that it is there at once; what fails now says so when it is shown. */
export function loadRest() {
  const all = async () => {
    for (const name of Object.keys(LOADERS)) await load(name);
  };
  window.setTimeout(() => void all().catch(() => undefined), REST_MS);
}
