// @ts-check
/**
 * The page's side of the bridge (docs/bridge.md): one API over two carriers.
 *
 * In: calls of the views, replies and event batches of the host. Out: promises, batches per animation frame.
 * Never: an address, a path or a command; a token anywhere but in this module's closure.
 *
 * Window: calls leave by the shell's `puiSend`, replies and events come as `pui._reply` and `pui._events`.
 * Browser: POST /rpc and server-sent events from /events.
 */
import { signal } from "/vendor/preact.js";
import { hideKey } from "./capability.js";

const MAX_CALL_BYTES = 256 * 1024;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 8000;
const WINDOW_WAIT_MS = 20000;

/** "connecting" before the first hello, "up", "lost" while nothing answers, "taken" when another page has the session. */
export const link = signal(/** @type {"connecting"|"up"|"lost"|"taken"} */ ("connecting"));

/** A refusal with the words of docs/errors.md. */
export class BridgeError extends Error {
  /** The action that was refused, as `onDone` names it. */
  about = "";

  /** @param {{code: string, message: string, hint?: string, retry?: string}} error */
  constructor(error) {
    super(error.message);
    this.name = "BridgeError";
    this.code = error.code;
    this.hint = error.hint || "";
    this.retry = error.retry || "unknown";
  }
}

/** @param {string} name */
function takeMeta(name) {
  const meta = document.querySelector(`meta[name="${name}"]`);
  const value = meta ? meta.getAttribute("content") || "" : "";
  if (meta) meta.remove();
  return value;
}

const isWindow = (takeMeta("pui-carrier") || (window.location.protocol === "http:" ? "" : "window")) === "window";
const token = takeMeta("pui-token");
let lastId = 0;
let cursor = 0;
/** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();
/** @type {Set<(events: any[]) => void>} */
const listeners = new Set();

/** @type {Set<(about: string) => void>} */
const doneListeners = new Set();

/** @type {(hello: any) => void} */
let onHello = () => {};
let retryMs = FIRST_RETRY_MS;
/** @type {EventSource | null} */
let source = null;

// calls

/**
 * Ask the host. Resolves with the verb's result, rejects with a BridgeError.
 * @param {string} method a verb of docs/bridge.md
 * @param {Record<string, any>} [params]
 * @returns {Promise<any>}
 */
export async function call(method, params = {}) {
  const about = `${method} ${params.task_id ?? ""}`;
  try {
    const result = await carry(method, params);
    for (const listener of doneListeners) listener(about);
    return result;
  } catch (error) {
    if (error instanceof BridgeError) error.about = about;
    throw error;
  }
}

/**
 * Called with every action that was done: its verb and its task.
 * @param {(about: string) => void} listener
 */
export function onDone(listener) {
  doneListeners.add(listener);
}

/** @param {string} method @param {Record<string, any>} params @returns {Promise<any>} */
function carry(method, params) {
  const id = ++lastId;
  const message = { t: token, id, method, params };
  if (JSON.stringify(message).length > MAX_CALL_BYTES) {
    return Promise.reject(new BridgeError({ code: "caller.bad_request", message: "This is too large to send." }));
  }
  return isWindow ? callWindow(id, message) : callBrowser(message);
}

/** @param {number} id @param {any} message */
function callWindow(id, message) {
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    const send = /** @type {any} */ (window).puiSend;
    if (send) send(JSON.stringify(message));
    else {
      waiting.delete(id);
      reject(new BridgeError({ code: "bridge.lost", message: "The window's bridge is not there." }));
    }
  });
}

/** @param {any} message */
async function callBrowser(message) {
  let response;
  try {
    response = await fetch("/rpc", {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
  } catch {
    lose();
    throw new BridgeError({ code: "bridge.lost", message: "pui does not answer.", retry: "again" });
  }
  if (response.status === 403) {
    lose("taken");
    throw new BridgeError({ code: "bridge.lost", message: "Another page has this session." });
  }
  let reply;
  try {
    reply = await response.json();
  } catch {
    throw new BridgeError({ code: "bridge.lost", message: `pui answered with status ${response.status}.` });
  }
  if (reply.ok) return reply.result;
  throw new BridgeError(reply.error || { code: "bridge.lost", message: `Status ${response.status}` });
}

/** @param {{id: number, ok: boolean, result?: any, error?: any}} reply */
function settle(reply) {
  const waiter = waiting.get(reply.id);
  if (!waiter) return;
  waiting.delete(reply.id);
  if (reply.ok) waiter.resolve(reply.result);
  else waiter.reject(new BridgeError(reply.error));
}

// events: collected, handed on once per animation frame

/** @type {any[]} */
let inbox = [];
let isScheduled = false;

/** @param {any[]} events */
function receive(events) {
  if (link.value !== "up") return;
  for (const event of events) {
    if (event.type === "resync") return resync();
    if (event.seq <= cursor) continue;
    if (event.seq !== cursor + 1) return resync();
    cursor = event.seq;
    inbox.push(event);
  }
  schedule();
}

function schedule() {
  if (isScheduled || !inbox.length) return;
  isScheduled = true;
  // a hidden page gets no animation frames
  if (document.hidden) setTimeout(flush, 100);
  else requestAnimationFrame(flush);
}

function flush() {
  isScheduled = false;
  const events = inbox;
  inbox = [];
  for (const listener of listeners) listener(events);
}

/**
 * Called with every batch, at most once per animation frame.
 * @param {(events: any[]) => void} listener
 * @returns {() => void} ends it
 */
export function onEvents(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// connection

/**
 * Say hello until somebody answers; `hello` gets every answer (the first, and one after each loss or gap).
 * @param {(hello: any) => void} hello
 */
export async function connect(hello) {
  onHello = hello;
  try {
    if (isWindow) await untilReady();
  } catch {
    lose();
    return;
  }
  await resync();
}

let isSyncing = false;

async function resync() {
  if (isSyncing) return;
  isSyncing = true;
  inbox = [];
  let hello = null;
  try {
    hello = await call("app.hello");
  } catch {
    lose();
  }
  isSyncing = false;
  if (!hello) return;
  cursor = hello.cursor;
  link.value = "up";
  if (!isWindow) {
    hideKey();
    listen();
  }
  onHello(hello);
}

/** @param {"lost"|"taken"} [how] a page whose session was taken does not try by itself */
function lose(how = "lost") {
  if (source) source.close();
  source = null;
  if (link.value === "taken") return;
  link.value = how;
  if (how === "lost") scheduleRetry();
}

let retryTimer = 0;

function scheduleRetry() {
  if (retryTimer) return;
  retryTimer = window.setTimeout(() => {
    retryTimer = 0;
    resync();
  }, retryMs);
  retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
}

/** Try at once instead of at the next turn (the banner's button). */
export function retryNow() {
  window.clearTimeout(retryTimer);
  retryTimer = 0;
  resync();
}

function listen() {
  if (source) source.close();
  source = new EventSource(`/events?after=${cursor}&t=${encodeURIComponent(token)}`);
  source.onopen = () => (retryMs = FIRST_RETRY_MS);
  source.onmessage = (message) => receive(JSON.parse(message.data));
  source.onerror = () => lose();
}

/** The shell sets `puiSend` when the page has loaded, and says so. */
function untilReady() {
  return new Promise((resolve, reject) => {
    if (/** @type {any} */ (window).puiSend) return resolve(undefined);
    window.addEventListener("pui-ready", () => resolve(undefined), { once: true });
    window.setTimeout(() => reject(new Error("the window's bridge is not there")), WINDOW_WAIT_MS);
  });
}

/** The two doors for the host's `run_js`. */
const doors = Object.freeze({
  _reply: settle,
  _events: receive,
});
Object.defineProperty(window, "pui", { value: doors, writable: false, configurable: false });
