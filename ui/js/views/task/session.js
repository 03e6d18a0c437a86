// @ts-check
/**
 * One task that the page has open: its row, panel, transcript and journal, kept fresh by the task's events.
 *
 * In: task.open, events. Out: signals and an EntryLog; the last few tasks stay open so that going back is instant.
 * Never: elements (the transcript's own are kept by its view through `keep`).
 */
import { batch, computed, effect, signal, untracked } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { helloCount, onTaskEvent, tasks, toast, toastError } from "../../store.js";
import { t } from "../../strings.js";
import { EntryLog } from "./entry-log.js";

const TAIL = 200;
const PAGE = 300;
const RECORDS_PAGE = 500;
/** Tasks that stay open behind the one that is shown. */
const KEPT_SESSIONS = 4;
const MAX_NOTICES = 5;
/** What task.open answers with as it stands; the other events are news even when they are older. */
const IN_ANSWER = new Set(["entry", "agent"]);
const SETTLED = new Set(["setup-required", "running", "finished", "stranded"]);

/** @typedef {{id: number, method: string, text: string}} GuestNotice */

export class TaskSession {
  /** @param {string} taskId */
  constructor(taskId) {
    this.taskId = taskId;
    this.row = computed(() => tasks.value.get(taskId) ?? this.openedRow.value);
    this.openedRow = signal(/** @type {any} */ (null));
    this.detail = signal(/** @type {any} */ (null));
    this.agent = signal(/** @type {any} */ (null));
    this.notices = signal(/** @type {GuestNotice[]} */ ([]));
    /** Journal records in order, without gap from the first. */
    this.records = signal(/** @type {any[]} */ ([]));
    this.draft = signal("");
    /** Images that go with the next message: PromptImages of images.js. */
    this.images = signal(/** @type {any[]} */ ([]));
    /** The message that is written anew. */
    this.branch = signal(/** @type {import("./branch.js").Branch | null} */ (null));
    /** The question of a dialog → what the person has written so far. @type {Map<string, any>} */
    this.answers = new Map();
    this.log = new EntryLog();
    /** Something was said: the transcript is not empty. */
    this.hasEntries = signal(false);
    this.log.onChange(() => {
      this.hasEntries.value = this.log.entries.length > 0;
    });
    /** "opening", "open" or "failed". */
    this.phase = signal("opening");
    this.error = signal(/** @type {any} */ (null));
    /** What views keep beyond their own life: the transcript's elements, scroll places. @type {Map<string, any>} */
    this.keep = new Map();
    /** Events that wait for the answer of task.open. @type {any[] | null} */
    this.waiting = null;
    /** Events up to this seq are in that answer. */
    this.cursor = 0;
    /** @type {Promise<void> | null} */
    this.opening = null;
    /** The page that is on its way. @type {Promise<number> | null} */
    this.loading = null;
    this.hasJournal = false;
    this.lastNotice = 0;
    this.unlisten = onTaskEvent(taskId, (event) => this._apply(event));
    // a hello (the first, or one after a lost connection) starts everything anew on the host's side
    this.unfollow = effect(() => {
      if (helloCount.value) untracked(() => this.open());
    });
    // a task of another pui has no events of its own: its row comes anew whenever its files have grown
    let before = /** @type {any} */ (null);
    this.unwatch = effect(() => {
      const row = tasks.value.get(taskId);
      const isNews = before && row !== before && (row?.runs_elsewhere || before.runs_elsewhere);
      before = row;
      if (isNews) untracked(() => this.open());
    });
  }

  /**
   * Everything as it is now. An answer and the events around it may arrive in either order: what comes meanwhile waits,
   * and what the answer holds already is left out. One at a time; who asks during one gets another one after it.
   */
  open() {
    this.opening = (this.opening ?? Promise.resolve()).then(() => this._open());
    return this.opening;
  }

  async _open() {
    this.waiting = this.waiting ?? [];
    try {
      const opened = await call("task.open", { task_id: this.taskId, tail: TAIL });
      batch(() => {
        this.openedRow.value = opened.row;
        this.detail.value = opened.detail;
        this.agent.value = opened.agent;
        this.log.open(opened.entries, opened.has_earlier);
        this.phase.value = "open";
        this.error.value = null;
        this._release(opened.cursor ?? 0);
      });
      if (this.hasJournal) await this.loadJournal();
    } catch (error) {
      this._release(0);
      this.error.value = error;
      this.phase.value = "failed";
    }
  }

  /** @param {number} cursor */
  _release(cursor) {
    const events = this.waiting ?? [];
    this.waiting = null;
    this.cursor = cursor;
    for (const event of events) this._apply(event);
  }

  /** The page of entries before the first known one. Resolves with how many came. */
  loadEarlier() {
    this.loading ??= this._loadEarlier().finally(() => (this.loading = null));
    return this.loading;
  }

  /** Pages until an entry is there. Resolves with whether it is. @param {number} key */
  async loadUntil(key) {
    while (!this.log.byKey.has(key) && this.log.hasEarlier) if (!(await this.loadEarlier())) break;
    return this.log.byKey.has(key);
  }

  async _loadEarlier() {
    const first = this.log.entries[0];
    if (!first || !this.log.hasEarlier) return 0;
    try {
      const page = await call("task.entries", { task_id: this.taskId, before_key: first.key, limit: PAGE });
      this.log.prepend(page.entries, page.has_earlier && page.entries.length > 0);
      return page.entries.length;
    } catch (error) {
      toastError(error);
      return 0;
    }
  }

  /** Every journal record, now and from now on. */
  async loadJournal() {
    this.hasJournal = true;
    for (;;) {
      const known = this.records.value;
      const after = known.length ? known[known.length - 1].seq : 0;
      const page = await call("task.journal", { task_id: this.taskId, after_seq: after, limit: RECORDS_PAGE });
      this._addRecords(page.records);
      if (page.records.length < RECORDS_PAGE) return;
    }
  }

  /** @param {any[]} records */
  _addRecords(records) {
    const known = this.records.value;
    const last = known.length ? known[known.length - 1].seq : 0;
    const fresh = records.filter((record) => record.seq > last);
    if (fresh.length) this.records.value = [...known, ...fresh];
  }

  /** @param {any} event */
  _apply(event) {
    if (this.waiting) this.waiting.push(event);
    else if (event.seq > this.cursor || !IN_ANSWER.has(event.type)) this._take(event);
  }

  /** @param {any} event */
  _take(event) {
    if (event.type === "entry") this.log.apply(event);
    else if (event.type === "agent") this.agent.value = event.agent;
    else if (event.type === "record") this._hear(event.record);
    else if (event.type === "notice") this._notice(event);
  }

  /** @param {any} record */
  _hear(record) {
    const known = this.records.value;
    const last = known.length ? known[known.length - 1].seq : 0;
    // without the records before it a new one is no use: they are fetched with it when somebody looks
    if (this.hasJournal && record.seq === last + 1) this._addRecords([record]);
    else if (this.hasJournal && record.seq > last) this.loadJournal().catch((error) => toast("error", t("task.journal.failed"), error.message, error.about));
    const detail = this.detail.value;
    if (!detail) return;
    if (record.type === "transition") {
      const visit = { state: record.to, entered_ms: record.at_ms, trigger: record.trigger, seq: record.seq };
      if (!detail.visits.some((/** @type {any} */ one) => one.seq === record.seq)) {
        this.detail.value = { ...detail, visits: [...detail.visits, visit] };
      }
      // kernel, runtime and sizes are known by then; events do not carry them
      if (SETTLED.has(record.to)) this.open();
    } else if (record.type === "fact") {
      this.detail.value = { ...detail, facts: { ...detail.facts, ...(record.facts || {}) } };
    }
  }

  /** @param {any} event */
  _notice(event) {
    this.lastNotice += 1;
    const notice = { id: this.lastNotice, method: event.method, text: event.text };
    this.notices.value = [...this.notices.value.slice(1 - MAX_NOTICES), notice];
  }

  /** @param {number} id */
  dropNotice(id) {
    this.notices.value = this.notices.value.filter((one) => one.id !== id);
  }

  close() {
    this.unlisten();
    this.unfollow();
    this.unwatch();
    // the task may be gone by now; then there is nothing to close
    call("task.close", { task_id: this.taskId }).catch(() => undefined);
  }
}

/** Newest last. @type {Map<string, TaskSession>} */
const sessions = new Map();
/** What was typed and not sent, also of tasks that are no longer open. @type {Map<string, string>} */
const drafts = new Map();

/**
 * The session of a task; opens it when it is not open yet, closes the one not looked at for longest.
 * @param {string} taskId
 */
export function sessionOf(taskId) {
  const session = sessions.get(taskId) ?? new TaskSession(taskId);
  if (!sessions.has(taskId)) session.draft.value = drafts.get(taskId) ?? "";
  sessions.delete(taskId);
  sessions.set(taskId, session);
  for (const [id, old] of sessions) {
    if (sessions.size <= KEPT_SESSIONS) break;
    drafts.set(id, old.draft.peek());
    sessions.delete(id);
    old.close();
  }
  return session;
}

/** The task was removed, or its view wants to begin anew. @param {string} taskId */
export function forgetSession(taskId) {
  const session = sessions.get(taskId);
  if (!session) return;
  sessions.delete(taskId);
  session.close();
}
