// @ts-check
/**
 * The transcript as a virtualised list: only what is near the window is in the page.
 *
 * In: an EntryLog, scrolling. Out: elements of the rows in view, kept at the place where the person reads.
 * Never: a layout of rows out of sight, a scroll that the person did not ask for (but sticking to the end).
 */
import { el } from "../../text/dom.js";
import { t } from "../../strings.js";
import { EntryRow } from "./entry-row.js";
import { Heights } from "./heights.js";

/** px of rows that are kept ready above and below the window. */
const OVERSCAN = 700;
/** px from the end within which the list sticks to it. */
const STICKY = 40;
/** px from the beginning where earlier entries are asked for. */
const EARLIER = 1200;
const KEPT_ROWS = 160;
/** px that a place which was looked for keeps from the edges. */
const EDGE = 28;
const OPENABLE = new Set(["user", "thinking", "tool"]);

/** px that a row will have, as long as nobody has seen it. @type {Record<string, number>} */
const GUESSES = { user: 72, text: 110, thinking: 36, tool: 40, error: 56, notice: 34 };

export class Transcript {
  /**
   * @param {import("./entry-log.js").EntryLog} log
   * @param {{openLink: (key: number, index: number, address: string) => void, loadEarlier: () => Promise<number>,
   *   branch: (entry: import("./entry-log.js").Entry) => void, earlierKeys: () => number}} host
   *   `earlierKeys`: up to this key the entries are of the task that is continued
   */
  constructor(log, host) {
    this.log = log;
    this.host = host;
    this.heights = new Heights();
    this.shape = -1;
    /** Rows in the page, and some that were. @type {Map<number, EntryRow>} */
    this.rows = new Map();
    /** Keys in the page, in order. @type {number[]} */
    this.shown = [];
    /** What the person opened or closed: survives the row. @type {Map<number, boolean>} */
    this.opened = new Map();
    /** What rows show of branches: the message that is written anew, and tasks by the message they branch before. */
    this.branchKey = 0;
    /** @type {Map<number, any[]>} */
    this.branches = new Map();
    this.isStuck = true;
    this.unseen = 0;
    this.frame = 0;
    this.isAttached = false;
    this.savedTop = 0;
    this.seenHeight = 0;
    /** Rows were put into the page, taken out or changed. */
    this.onRendered = () => {};
    this.onUnseen = (/** @type {number} */ _count) => {};
    this.onStick = (/** @type {boolean} */ _isStuck) => {};
    this.rowsNode = el("div", "log-rows");
    this.space = el("div", "log-space", this.rowsNode);
    this.earlier = el("p", { class: "log-earlier", hidden: true }, t("task.log.loading"));
    this.element = el("div", { class: "log", tabindex: "0", role: "region", "aria-label": t("task.log.label") }, this.earlier, this.space);
    this.element.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this.element.addEventListener("keydown", (event) => this._key(event));
    this.observer = new ResizeObserver((changes) => this._measured(changes));
    this.viewObserver = new ResizeObserver(() => this._resized());
    log.onChange(() => this.schedule());
  }

  /** Put the list into `place`. Its rows, their state and the place in it are as they were. @param {HTMLElement} place */
  attach(place) {
    place.prepend(this.element);
    this.isAttached = true;
    this.width = this.element.clientWidth;
    this.viewObserver.observe(this.element);
    this.render();
    this.element.scrollTop = this.isStuck ? this.element.scrollHeight : this.savedTop;
    this.render();
  }

  detach() {
    this.isAttached = false;
    this.viewObserver.disconnect();
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.element.remove();
  }

  /** Draw in the next frame what has changed. */
  schedule() {
    if (this.frame || !this.isAttached) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  render() {
    if (!this.isAttached) return;
    const before = this.heights.count;
    // a feed without an article would be no feed
    this.element.setAttribute("role", this.log.entries.length ? "feed" : "region");
    this._takeShape();
    const changes = this.log.takeChanges();
    if (!this.isStuck && this.heights.count > before) this._count(this.heights.count - before);
    for (const key of changes) this.rows.get(key)?.update();
    this._mount();
    if (this.isStuck) this._toEnd();
    this.onRendered();
  }

  /** Put a row into the page, unfolded if it can be. The end is left. @param {number} key @returns {EntryRow | undefined} */
  reveal(key) {
    const index = this._indexOf(key);
    if (index < 0 || !this.isAttached) return undefined;
    this._setStuck(false);
    if (this.shape !== this.log.shape) this.render(); // offsets of before are void
    if (!this.rows.get(key)?.element.isConnected) {
      this.element.scrollTop = this.heights.offsetOf(index) + this.space.offsetTop - this.element.clientHeight / 3;
      this._note();
      this.render();
    }
    const row = this.rows.get(key);
    if (row && OPENABLE.has(row.entry.kind) && this.opened.get(key) !== true) {
      this.opened.set(key, true);
      row.update();
    }
    return row;
  }

  /** A row where it can be read. @param {number} key */
  show(key) {
    const row = this.reveal(key);
    if (row) this.bringIntoView(row.element.getBoundingClientRect());
  }

  /** The last entry that is in view, 0 when there is none. */
  lastInView() {
    const index = this.heights.indexAt(this.element.scrollTop - this.space.offsetTop + this.element.clientHeight - 1);
    return this.log.entries[index]?.key ?? 0;
  }

  /** Scroll so that a place of a row in the page can be read. @param {DOMRect} place */
  bringIntoView(place) {
    const view = this.element.getBoundingClientRect();
    if (place.top >= view.top + EDGE && place.bottom <= view.bottom - EDGE) return;
    this.element.scrollTop += place.top - view.top - view.height / 3;
    this._note();
  }

  /** A scroll of pui's own: it is not the person leaving the end. */
  _note() {
    this.savedTop = this.element.scrollTop;
    this.seenHeight = this.element.clientHeight;
  }

  /** The person's own message goes out: be where it appears. */
  stick() {
    this._setStuck(true);
    this._count(-this.unseen);
    this.schedule();
  }

  /**
   * @param {boolean} canBranch messages offer it @param {number} branchKey the message that is written anew, 0 for none
   * @param {any[]} children rows of the tasks that go on from this one
   */
  setBranches(canBranch, branchKey, children) {
    this.element.classList.toggle("can-branch", canBranch);
    this.branchKey = branchKey;
    this.branches = new Map();
    for (const row of children) if (row.branch_key) this.branches.set(row.branch_key, [...(this.branches.get(row.branch_key) ?? []), row]);
    for (const row of this.rows.values()) row.showBranches();
  }

  // rows

  /** Heights for rows that came; all anew when rows came before others. The row under the eye keeps its place. */
  _takeShape() {
    const { entries } = this.log;
    if (this.shape === this.log.shape) {
      for (let index = this.heights.count; index < entries.length; index += 1) this.heights.append(guess(entries[index]));
      return;
    }
    const isFirst = this.shape === -1;
    this.shape = this.log.shape;
    const anchor = isFirst ? null : this._anchor();
    this.heights.reset(entries.map((entry) => this.rows.get(entry.key)?.height || guess(entry)));
    for (const [key, row] of this.rows) {
      if (this.log.byKey.get(key) !== row.entry) this._forget(key, row);
    }
    if (anchor) this._restore(anchor);
  }

  /** @param {number} key @param {EntryRow} row */
  _forget(key, row) {
    this.observer.unobserve(row.element);
    row.element.remove();
    this.rows.delete(key);
    this.shown = this.shown.filter((one) => one !== key);
  }

  _mount() {
    const { entries } = this.log;
    const top = this.element.scrollTop - this.space.offsetTop;
    const height = this.element.clientHeight;
    const end = this.isStuck ? this.heights.total : top + height;
    const [first, last] = this.heights.range(end - height - OVERSCAN, end + OVERSCAN);
    const wanted = entries.slice(first, last).map((entry) => entry.key);
    const kept = new Set(wanted);
    for (const key of this.shown) if (!kept.has(key)) this._unmount(key);
    let next = this.rowsNode.firstChild;
    for (let index = first; index < last; index += 1) {
      const row = this._row(entries[index], index);
      if (row.element === next) next = next.nextSibling;
      else {
        this.rowsNode.insertBefore(row.element, next);
        this.observer.observe(row.element);
      }
    }
    this.shown = wanted;
    this._place(first);
    this._trim();
  }

  /** @param {number} first the first row that is in the page */
  _place(first) {
    this.space.style.height = `${this.heights.total}px`;
    this.rowsNode.style.transform = `translateY(${this.heights.offsetOf(first)}px)`;
    this.first = first;
  }

  /** @param {import("./entry-log.js").Entry} entry @param {number} index */
  _row(entry, index) {
    let row = this.rows.get(entry.key);
    if (!row) {
      row = new EntryRow(entry, this);
      this.rows.set(entry.key, row);
    }
    row.element.setAttribute("aria-posinset", String(index + 1));
    row.element.setAttribute("aria-setsize", this.log.hasEarlier ? "-1" : String(this.log.entries.length));
    return row;
  }

  /** @param {number} key */
  _unmount(key) {
    const row = this.rows.get(key);
    if (!row) return;
    this.observer.unobserve(row.element);
    row.element.remove();
  }

  /** Rows out of sight are kept for a while, so that scrolling back and forth builds nothing. */
  _trim() {
    if (this.rows.size <= KEPT_ROWS + this.shown.length) return;
    for (const [key, row] of this.rows) {
      if (this.rows.size <= KEPT_ROWS) break;
      if (!row.element.isConnected) this.rows.delete(key);
    }
  }

  // places

  /** The first row in view, and how far it is scrolled past. */
  _anchor() {
    const top = this.element.scrollTop - this.space.offsetTop;
    const key = this.shown.find((one) => {
      const row = this.rows.get(one);
      return row && row.element.offsetTop + this.heights.offsetOf(this.first ?? 0) + row.element.offsetHeight > top;
    });
    const row = key === undefined ? undefined : this.rows.get(key);
    if (key === undefined || !row) return null;
    return { key, past: top - this.heights.offsetOf(this.first ?? 0) - row.element.offsetTop };
  }

  /** @param {{key: number, past: number}} anchor */
  _restore(anchor) {
    const index = this._indexOf(anchor.key);
    if (index < 0) return;
    this.space.style.height = `${this.heights.total}px`;
    this.element.scrollTop = this.heights.offsetOf(index) + anchor.past + this.space.offsetTop;
  }

  /** @param {number} key */
  _indexOf(key) {
    const { entries } = this.log;
    let [low, high] = [0, entries.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (entries[middle].key === key) return middle;
      if (entries[middle].key < key) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Real heights came in, before anything is painted: rows above the window must not push it. @param {ResizeObserverEntry[]} changes */
  _measured(changes) {
    if (!this.isAttached) return;
    const firstInView = this.heights.indexAt(this.element.scrollTop - this.space.offsetTop);
    let shift = 0;
    let isChanged = false;
    for (const change of changes) {
      const key = Number(/** @type {HTMLElement} */ (change.target).dataset.key);
      const row = this.rows.get(key);
      const index = this._indexOf(key);
      const height = change.borderBoxSize?.[0]?.blockSize ?? change.target.getBoundingClientRect().height;
      if (!row || index < 0 || !height || !change.target.isConnected) continue;
      row.height = height;
      const grown = this.heights.set(index, height);
      isChanged = isChanged || grown !== 0;
      if (index < firstInView) shift += grown;
    }
    if (!isChanged) return;
    this._place(this.first ?? 0);
    if (this.isStuck) this._toEnd();
    else if (shift) this.element.scrollTop += shift;
    this.schedule();
  }

  _resized() {
    if (this.isStuck) this._toEnd();
    this.schedule();
  }

  _toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
    this._note();
  }

  _scrolled() {
    if (!this.isAttached) return;
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < STICKY;
    // only the person leaves the end, by going up; rows that grow and a dock that does must not
    if (isAtEnd) this._setStuck(true);
    else if (scrollTop < this.savedTop - 1 && clientHeight === this.seenHeight) this._setStuck(false);
    this.savedTop = scrollTop;
    this.seenHeight = clientHeight;
    if (this.isStuck && this.unseen) this._count(-this.unseen);
    if (scrollTop < EARLIER && this.log.hasEarlier) this._loadEarlier();
    this.schedule();
  }

  async _loadEarlier() {
    this.earlier.hidden = false;
    await this.host.loadEarlier();
    this.earlier.hidden = true;
    this.schedule();
  }

  /** @param {boolean} isStuck */
  _setStuck(isStuck) {
    if (this.isStuck === isStuck) return;
    this.isStuck = isStuck;
    this.onStick(isStuck);
  }

  /** @param {number} more */
  _count(more) {
    this.unseen = Math.max(0, this.unseen + more);
    this.onUnseen(this.unseen);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (event.target !== this.element || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "End") this.stick();
    else if (event.key === "Home") this.element.scrollTop = 0;
    else if (event.key === "j") this.element.scrollTop += 60;
    else if (event.key === "k") this.element.scrollTop -= 60;
    else return;
    event.preventDefault();
  }
}

/** @param {import("./entry-log.js").Entry} entry */
function guess(entry) {
  const base = GUESSES[entry.kind] ?? 40;
  if (entry.kind !== "text" && entry.kind !== "user") return base;
  return Math.max(40, 28 + Math.ceil(entry.text.length / 80) * 22);
}
