// @ts-check
/**
 * The entries of one task's transcript as far as the page has them, in order of their keys.
 *
 * In: pages of entries, `entry` events. Out: the entries, and which of them changed since the last look.
 * Never: the DOM, the bridge. An event costs O(1), so that a burst of 100,000 stays cheap.
 */

/**
 * @typedef {{key: number, kind: string, text: string, title: string, args: Record<string, any>, is_error: boolean,
 *   is_final: boolean, duration_ms: number|null, at_ms: number, diff: string, links: string[],
 *   version: number}} Entry `version` counts replacements of the text, so that a view knows when it only grew
 */

export class EntryLog {
  constructor() {
    /** @type {Entry[]} in order of key */
    this.entries = [];
    /** @type {Map<number, Entry>} */
    this.byKey = new Map();
    this.hasEarlier = false;
    /** Entries that changed since `takeChanges`. @type {Set<number>} */
    this.dirty = new Set();
    /** Grows whenever rows were added before others or taken away: offsets are void then. */
    this.shape = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {() => void} listener @returns {() => void} */
  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * The newest page, as `task.open` gives it. What was known and still adjoins stays: its views need no redraw.
   * @param {any[]} page @param {boolean} hasEarlier
   */
  open(page, hasEarlier) {
    const last = this.entries[this.entries.length - 1];
    const adjoins = last !== undefined && page.length > 0 && page[0].key <= last.key + 1;
    if (!adjoins) {
      this.entries = [];
      this.byKey.clear();
      this.dirty.clear();
      this.hasEarlier = hasEarlier;
      this.shape += 1;
    }
    for (const entry of page) this._put(entry);
    this._tell();
  }

  /** @param {any[]} page entries before all known ones @param {boolean} hasEarlier */
  prepend(page, hasEarlier) {
    const fresh = page.filter((entry) => !this.byKey.has(entry.key)).map((entry) => ({ ...entry, version: 0 }));
    for (const entry of fresh) this.byKey.set(entry.key, entry);
    this.entries = [...fresh, ...this.entries].sort((a, b) => a.key - b.key);
    this.hasEarlier = hasEarlier;
    this.shape += 1;
    this._tell();
  }

  /** @param {{entry: any, delta: string, is_replaced: boolean}} event */
  apply(event) {
    const known = this.byKey.get(event.entry.key);
    if (!known) {
      this._put({ ...event.entry, text: event.entry.text || event.delta });
    } else {
      const { text, version } = known;
      Object.assign(known, event.entry, { text, version });
      // a text that is there is the whole one; while one streams only what is new comes
      if (event.entry.text) this._replace(known, event.entry.text);
      else if (event.is_replaced) this._replace(known, event.delta);
      else if (event.delta) known.text += event.delta;
      this.dirty.add(known.key);
    }
    this._tell();
  }

  /** The keys that changed since the last call. */
  takeChanges() {
    const changes = this.dirty;
    this.dirty = new Set();
    return changes;
  }

  /** @param {Entry} entry @param {string} text */
  _replace(entry, text) {
    if (!text.startsWith(entry.text)) entry.version += 1;
    entry.text = text;
  }

  /** @param {any} entry */
  _put(entry) {
    const known = this.byKey.get(entry.key);
    if (known) {
      const { text, version } = known;
      Object.assign(known, entry, { text, version });
      // while a text streams the page has no text of it: what was heard before stays
      if (entry.text) this._replace(known, entry.text);
      this.dirty.add(known.key);
      return;
    }
    const fresh = { ...entry, version: 0 };
    this.byKey.set(fresh.key, fresh);
    this.dirty.add(fresh.key);
    const last = this.entries[this.entries.length - 1];
    if (!last || last.key < fresh.key) this.entries.push(fresh);
    else {
      this.entries.push(fresh);
      this.entries.sort((a, b) => a.key - b.key);
      this.shape += 1;
    }
  }

  _tell() {
    for (const listener of this.listeners) listener();
  }
}
