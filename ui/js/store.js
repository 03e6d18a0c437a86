// @ts-check
/**
 * What the page knows: signals filled by app.hello and kept fresh by events.
 *
 * In: the hello, batches of events. Out: signals that views read; task events for those who listen.
 * Never: a call that changes something (views call the bridge), a copy of a guest's text as anything but text.
 */
import { batch, computed, signal } from "/vendor/preact.js";
import { connect, onDone, onEvents } from "./bridge.js";
import { go } from "./router.js";

/** Map task_id → TaskRow, in no order. */
export const tasks = signal(/** @type {Map<string, any>} */ (new Map()));
export const setup = signal(/** @type {any} */ (null));
export const packs = signal(/** @type {any} */ (null));
export const models = signal(/** @type {any} */ (null));
export const settings = signal(/** @type {any} */ (null));
export const folders = signal(/** @type {any[]} */ ([]));
/** version, platform, carrier, is_emulation_allowed, notes, notifications. */
export const app = signal(/** @type {any} */ (null));
/** [{id, level, text, hint, about}], newest last. */
export const toasts = signal(/** @type {any[]} */ ([]));
/** Counts hellos: a view that holds a task open says task.open again when it changes. */
export const helloCount = signal(0);
/** The clock of everything that shows elapsed time: whole seconds, as milliseconds. */
export const now = signal(Date.now());
/** What is spoken by screen readers: the newest change of a state. */
export const spoken = signal("");

const ATTENTION = /** @type {const} */ ({ question: 0, setup: 1, turn: 2 });

/** @param {any} row */
function rank(row) {
  if (row.needs_you) return ATTENTION[/** @type {"question"|"setup"|"turn"} */ (row.needs_you)] ?? 2;
  if (row.is_live || row.runs_elsewhere) return 3;
  return row.is_over ? 5 : 4;
}

/** All rows: those that need the person first, then live, waiting, over; within a rank the newest first. */
export const taskList = computed(() =>
  [...tasks.value.values()].sort((a, b) => rank(a) - rank(b) || b.created_ms - a.created_ms),
);
export const needsYouCount = computed(() => taskList.value.filter((row) => row.needs_you).length);
export const liveCount = computed(() => taskList.value.filter((row) => row.is_live || row.runs_elsewhere).length);

// task events

/** @type {Map<string, Set<(event: any) => void>>} */
const taskListeners = new Map();

/**
 * Gets every `entry`, `agent`, `record` and `notice` event of one task (they flow after task.open).
 * @param {string} taskId
 * @param {(event: any) => void} listener called within a batch of signals
 * @returns {() => void} ends it
 */
export function onTaskEvent(taskId, listener) {
  const found = taskListeners.get(taskId) || new Set();
  found.add(listener);
  taskListeners.set(taskId, found);
  return () => {
    found.delete(listener);
    if (!found.size) taskListeners.delete(taskId);
  };
}

/** One listener's fault is reported and does not keep the others from their events. @param {any} event */
function tellTask(event) {
  for (const listener of taskListeners.get(event.task_id) || []) {
    try {
      listener(event);
    } catch (error) {
      window.reportError(error);
    }
  }
}

// the reducer

/** @param {any} hello */
function applyHello(hello) {
  batch(() => {
    app.value = hello;
    settings.value = hello.settings;
    setup.value = hello.setup;
    packs.value = hello.packs;
    models.value = hello.models;
    folders.value = hello.folders;
    tasks.value = new Map(hello.tasks.map((/** @type {any} */ row) => [row.task_id, row]));
    helloCount.value += 1;
  });
}

/** @type {Record<string, (event: any) => void>} */
const whole = {
  setup: (event) => (setup.value = event.setup),
  pack: (event) => (packs.value = event.packs),
  models: (event) => (models.value = event.models),
  settings: (event) => (settings.value = event.settings),
  folders: (event) => (folders.value = event.folders),
  toast: (event) => toast(event.level, event.text),
  open: (event) => go("task", event.task_id),
};

/** @param {any[]} events */
function applyEvents(events) {
  batch(() => {
    /** @type {Map<string, any> | null} */
    let rows = null;
    for (const event of events) {
      if (event.type === "task") {
        rows = rows || new Map(tasks.value);
        speakChange(rows.get(event.row.task_id), event.row);
        rows.set(event.row.task_id, event.row);
      } else if (event.type === "task_removed") {
        rows = rows || new Map(tasks.value);
        rows.delete(event.task_id);
      } else if (Object.hasOwn(whole, event.type)) whole[event.type](event);
      else if (event.task_id) tellTask(event);
    }
    if (rows) tasks.value = rows;
  });
}

/** @param {any} before @param {any} after */
function speakChange(before, after) {
  const isNews = !before || before.state !== after.state || before.needs_you !== after.needs_you;
  if (isNews) spoken.value = `${after.title}: ${after.needs_you ? after.agent_label || after.state_label : after.state_label}`;
}

// toasts

let lastToast = 0;
const TOAST_MS = 6000;
const MAX_TOASTS = 4;

/**
 * A short message in the corner. Errors stay until they are closed, or until the action that they are about was done.
 * @param {"info"|"warning"|"error"} level @param {string} text @param {string} [hint] @param {string} [about] of a BridgeError
 */
export function toast(level, text, hint = "", about = "") {
  const id = ++lastToast;
  if (about) dropToastsAbout(about);
  toasts.value = [...toasts.value.slice(1 - MAX_TOASTS), { id, level, text, hint, about }];
  if (level !== "error") setTimeout(() => dropToast(id), TOAST_MS);
}

/** @param {number} id */
export function dropToast(id) {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** What an action was refused with. @param {any} error a BridgeError */
export const toastError = (error) => toast("error", error.message, error.hint, error.about);

/** What was refused before has worked now, or is told anew. @param {string} about */
function dropToastsAbout(about) {
  if (toasts.value.some((one) => one.about === about)) toasts.value = toasts.value.filter((one) => one.about !== about);
}

/**
 * Show what a call was refused with, and go on with undefined.
 * @template T @param {Promise<T>} promise @returns {Promise<T | undefined>}
 */
export async function orToast(promise) {
  try {
    return await promise;
  } catch (error) {
    toastError(error);
    return undefined;
  }
}

/** Start listening and ticking; the first hello fills the signals. */
export function begin() {
  onEvents(applyEvents);
  onDone(dropToastsAbout);
  setInterval(() => {
    if (!document.hidden) now.value = Math.floor(Date.now() / 1000) * 1000;
  }, 1000);
  return connect(applyHello);
}
