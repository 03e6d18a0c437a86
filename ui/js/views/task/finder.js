// @ts-check
/**
 * Finding in one conversation: its hits, where one is among them, what is marked in the page.
 *
 * In: a query, the log, task.find for what the page has not loaded. Out: signals, marks, scrolls of the transcript.
 * Never: an element or a text of a row changed: marks are ranges (CSS highlights) and classes of rows.
 */
import { computed, signal } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { toastError } from "../../store.js";
import { countPlaces, rangesIn } from "./find-text.js";

const TYPING_MS = 160;
const NEWS_MS = 500;
const MARK_MS = 60;
const SETTLE_FRAMES = 3;
const ALL = "pui-find";
const NOW = "pui-find-now";

/** @typedef {{key: number, count: number}} Hit `count` places in the entry */

export class Finder {
  /** @param {import("./session.js").TaskSession} session @param {import("./transcript.js").Transcript} transcript */
  constructor(session, transcript) {
    this.session = session;
    this.transcript = transcript;
    this.isOpen = signal(false);
    this.query = signal("");
    /** "idle", "searching", "done" */
    this.phase = signal("idle");
    /** Hits before what the page has loaded when they were asked for. */
    this.earlier = signal(/** @type {Hit[]} */ ([]));
    this.local = signal(/** @type {Hit[]} */ ([]));
    this.isWhole = signal(true);
    this.hits = computed(() => [...this.earlier.value, ...this.local.value]);
    /** The entry that is shown now, and which of its `places` in the page. */
    this.key = signal(0);
    this.place = signal(0);
    this.places = signal(0);
    this.index = computed(() => this.hits.value.findIndex((hit) => hit.key === this.key.value));
    /** @type {Map<string, number>} */
    this.timers = new Map();
    this.turn = 0;
    this.unlisten = () => {};
  }

  open() {
    if (this.isOpen.value) return;
    this.isOpen.value = true;
    this.unlisten = this.session.log.onChange(() => this._later("news", NEWS_MS, () => this._lookHere()));
    this.transcript.onRendered = () => this._later("mark", MARK_MS, () => this._mark());
    if (this.query.value) this._search();
  }

  close() {
    if (!this.isOpen.value) return;
    this.isOpen.value = false;
    this.turn += 1;
    this.unlisten();
    this.transcript.onRendered = () => {};
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this._forget();
    this._unmark();
  }

  /** @param {string} query */
  type(query) {
    this.query.value = query;
    this.phase.value = query ? "searching" : "idle";
    this._later("typing", TYPING_MS, () => this._search());
  }

  /** To the next place, or the one before; around at the ends. @param {1 | -1} step */
  async go(step) {
    if (this.timers.has("typing")) await this._search();
    const hits = this.hits.value;
    if (!hits.length) return;
    const place = this.place.value + step;
    if (this.index.value >= 0 && place >= 0 && place < this.places.value) return this._show(this.key.value, place);
    const next = (Math.max(this.index.value, 0) + (this.index.value < 0 ? 0 : step) + hits.length) % hits.length;
    return this._show(hits[next].key, step > 0 ? 0 : -1);
  }

  /** @param {string} name @param {number} wait_ms @param {() => void} run the newest of its name is run once */
  _later(name, wait_ms, run) {
    if (name !== "typing" && this.timers.has(name)) return;
    clearTimeout(this.timers.get(name));
    this.timers.set(name, window.setTimeout(() => {
      this.timers.delete(name);
      run();
    }, wait_ms));
  }

  _forget() {
    this.earlier.value = [];
    this.local.value = [];
    this.isWhole.value = true;
    this.key.value = this.place.value = this.places.value = 0;
  }

  /** Anew: here at once, what is not loaded as soon as the host has looked. */
  async _search() {
    clearTimeout(this.timers.get("typing"));
    this.timers.delete("typing");
    const turn = (this.turn += 1);
    const query = this.query.value;
    this._forget();
    if (!query) return this._unmark();
    this._lookHere();
    const first = this.session.log.entries[0];
    if (first && this.session.log.hasEarlier) {
      this.phase.value = "searching";
      try {
        const found = await call("task.find", { task_id: this.session.taskId, query, before_key: first.key });
        if (turn !== this.turn) return;
        this.earlier.value = found.hits;
        this.isWhole.value = found.is_whole;
        this._lookHere();
      } catch (error) {
        if (turn === this.turn) toastError(error);
      }
      if (turn !== this.turn) return;
    }
    this.phase.value = "done";
    await this._begin();
  }

  /** The newest hit at or above the end of what is in view, as one reads a conversation from its end. */
  async _begin() {
    const hits = this.hits.value;
    const last = this.transcript.lastInView();
    const hit = hits.findLast((one) => one.key <= last) ?? hits[0];
    if (hit) await this._show(hit.key, -1);
    else this._mark();
  }

  /** What the page has loaded, which may be more than when the host was asked. */
  _lookHere() {
    if (!this.isOpen.value || !this.query.value) return;
    const query = this.query.value.toLowerCase();
    /** @type {Hit[]} */
    const local = [];
    for (const entry of this.session.log.entries) {
      const count = countPlaces(entry, query);
      if (count) local.push({ key: entry.key, count });
    }
    const first = this.session.log.entries[0]?.key ?? 0;
    if (this.earlier.value.some((hit) => hit.key >= first)) this.earlier.value = this.earlier.value.filter((hit) => hit.key < first);
    this.local.value = local;
  }

  /** @param {number} key @param {number} place -1 for the last one */
  async _show(key, place) {
    const turn = this.turn;
    this.key.value = key;
    if (!this.session.log.byKey.has(key)) {
      this.phase.value = "searching";
      await this.session.loadUntil(key);
      this.phase.value = "done";
      if (turn !== this.turn || this.key.value !== key) return;
      this._lookHere();
    }
    for (let frame = 0; frame < SETTLE_FRAMES; frame += 1) {
      // rows get their real heights, and texts their colours, in the frames after they came
      const row = this.transcript.reveal(key);
      if (!row) return; // the page is at another place by now
      const ranges = rangesIn(row.body.element, this.query.value.toLowerCase());
      this.places.value = ranges.length;
      this.place.value = place < 0 ? Math.max(0, ranges.length - 1) : Math.min(place, Math.max(0, ranges.length - 1));
      const range = ranges[this.place.value];
      range?.startContainer.parentElement?.scrollIntoView({ block: "nearest", inline: "nearest" });
      this.transcript.bringIntoView((range ?? row.element).getBoundingClientRect());
      this._mark();
      await new Promise((resolve) => requestAnimationFrame(resolve));
      if (turn !== this.turn || this.key.value !== key || !this.isOpen.value) return;
    }
  }

  /** Marks in the rows that are in the page now. */
  _mark() {
    if (!this.isOpen.value) return;
    const query = this.query.value.toLowerCase();
    const hits = new Set(this.hits.value.map((hit) => hit.key));
    /** @type {Range[]} */
    const all = [];
    /** @type {Range[]} */
    const now = [];
    for (const [key, row] of this.transcript.rows) {
      const isHit = hits.has(key);
      row.element.classList.toggle("is-hit", isHit);
      row.element.classList.toggle("is-hit-now", isHit && key === this.key.value);
      if (!isHit || !row.element.isConnected) continue;
      const ranges = rangesIn(row.body.element, query);
      const here = key === this.key.value ? this.place.value : -1;
      ranges.forEach((range, index) => (index === here ? now : all).push(range));
    }
    paint(ALL, all);
    paint(NOW, now);
  }

  _unmark() {
    for (const row of this.transcript.rows.values()) row.element.classList.remove("is-hit", "is-hit-now");
    paint(ALL, []);
    paint(NOW, []);
  }
}

/** Where the engine has no highlights, the marks of the rows have to do. @param {string} name @param {Range[]} ranges */
function paint(name, ranges) {
  if (typeof Highlight !== "function" || !CSS.highlights) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}
