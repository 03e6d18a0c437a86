// @ts-check
/**
 * A tool call as a card: closed it says what was done in one line, open it shows arguments, output or the diff.
 *
 * In: an Entry of kind tool, as it is now. Out: an element. Never: markup of the guest; a built body while closed.
 */
import { el, glyph } from "../../text/dom.js";
import { codeBlock, copyButton, languageOfPath } from "../../text/code.js";
import { countChanges, parsePatch } from "../../text/diff.js";
import { diffTable } from "../../text/diff-view.js";
import { shortDuration } from "../../format.js";
import { t } from "../../strings.js";
import { lastLines, summaryOf, toolKind } from "./tool-summary.js";

/** A small edit is what a person looks for: it stands open from the start. */
const MAX_OPEN_DIFF_LINES = 24;
const LIVE_LINES = 3;
const MAX_LIVE_CHARS = 600;
const TICK_MS = 1000;

/** @type {Record<import("./tool-summary.js").ToolKind, string>} */
const GLYPHS = {
  shell: "M2.5 3h11v10h-11zM4.8 6l2 2-2 2M8.3 10.2h2.7",
  read: "M4 2.5h5.5L12.5 5.5v8H4zM9.3 2.7v3h3M6 8.5h4.5M6 11h4.5",
  write: "M4 2.5h5.5L12.5 5.5v8H4zM8.2 7v4M6.2 9h4",
  edit: "m10.6 3.2 2.2 2.2L5.6 12.6l-2.9.7.7-2.9 7.2-7.2Z",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14 14",
  other: "M8 1.9 13.6 5v6L8 14.1 2.4 11V5L8 1.9ZM2.6 5.1 8 8.1l5.4-3M8 8.1v5.8",
};
const CHEVRON = "m6 3.8 4.2 4.2L6 12.2";
const DONE = "m3 8.5 3.3 3.3L13 4.8";
const FAILED = "m4 4 8 8M12 4l-8 8";

/** @typedef {import("./entry-log.js").Entry} Entry */

export class ToolCard {
  /** @param {Entry} entry @param {import("./entry-row.js").Owner} owner */
  constructor(entry, owner) {
    this.entry = entry;
    this.owner = owner;
    this.since = entry.at_ms || Date.now();
    this.summary = el("span", "tool-summary");
    this.counts = el("span", "tool-counts");
    this.duration = el("span", "tool-duration");
    this.state = el("span", { class: "tool-state", role: "img" });
    this.head = el(
      "button",
      { type: "button", class: "tool-head", "aria-expanded": "false" },
      glyph(CHEVRON, "chevron"),
      glyph(GLYPHS[toolKind(entry.title)], "tool-icon"),
      el("span", "tool-name", entry.title || t("task.tool.unnamed")),
      this.summary,
      this.counts,
      this.duration,
      this.state,
    );
    this.head.addEventListener("click", () => this._toggle());
    this.live = el("pre", { class: "tool-live", hidden: true });
    this.element = el("div", "tool-card", this.head, this.live);
    /** @type {string} */
    this.shownState = "";
    this.shownArgs = "";
    this.shownDiff = "";
  }

  get isOpen() {
    return this.owner.opened.get(this.entry.key) ?? (this.entry.is_final && this._isSmallEdit());
  }

  _isSmallEdit() {
    const { diff } = this.entry;
    return !!diff && diff.length < 4000 && diff.split("\n").length <= MAX_OPEN_DIFF_LINES + 4;
  }

  _toggle() {
    this.owner.opened.set(this.entry.key, !this.isOpen);
    this.update();
  }

  update() {
    const { entry } = this;
    this.summary.textContent = summaryOf(entry.title, entry.args);
    this._showState();
    this._showCounts();
    const isOpen = this.isOpen;
    this.head.setAttribute("aria-expanded", String(isOpen));
    this.element.classList.toggle("is-open", isOpen);
    const live = isOpen || entry.is_final ? "" : lastLines(entry.text, LIVE_LINES).slice(-MAX_LIVE_CHARS);
    this.live.hidden = !live;
    this.live.textContent = live;
    if (isOpen) this._showBody();
    else this._dropBody();
  }

  _showState() {
    const { entry } = this;
    const kind = entry.is_final ? (entry.is_error ? "failed" : "done") : "running";
    if (kind !== this.shownState) {
      this.shownState = kind;
      this.state.className = `tool-state ${kind}`;
      this.state.setAttribute("aria-label", t(`task.tool.${kind}`));
      this.state.title = t(`task.tool.${kind}`);
      this.state.replaceChildren(kind === "running" ? el("i", "beat") : glyph(kind === "done" ? DONE : FAILED));
    }
    const spent = entry.is_final ? entry.duration_ms : Date.now() - this.since;
    this.duration.textContent = spent === null || spent === undefined ? "" : shortDuration(spent);
    if (!entry.is_final && !this.timer) this._tick();
  }

  /** The time of a running tool, as long as its card is in the page. */
  _tick() {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.element.isConnected && !this.entry.is_final) this._showState();
    }, TICK_MS);
  }

  _showCounts() {
    if (this.shownDiff === this.entry.diff || !this.entry.diff) return;
    this.shownDiff = this.entry.diff;
    const { added, removed } = countChanges(parsePatch(this.entry.diff));
    this.counts.replaceChildren(el("span", "plus", `+${added}`), " ", el("span", "minus", `−${removed}`));
  }

  _showBody() {
    const { entry } = this;
    const args = JSON.stringify(entry.args);
    if (!this.body || this.shownArgs !== args || this.bodyDiff !== entry.diff) {
      this.shownArgs = args;
      this.bodyDiff = entry.diff;
      this.output = codeBlock("", t("task.tool.output"));
      const body = el("div", "tool-body", ...this._parts(), this.output.element);
      this.body?.remove();
      this.body = body;
      this.element.append(body);
    }
    this.output?.set(entry.text);
    // an edit that worked says nothing that the diff does not say
    if (this.output) this.output.element.hidden = !entry.text || (!!entry.diff && !entry.is_error);
  }

  _dropBody() {
    this.body?.remove();
    this.body = undefined;
    this.output = undefined;
  }

  /** What the call was given. @returns {HTMLElement[]} */
  _parts() {
    const { entry } = this;
    if (entry.diff) return [diffTable(entry.diff, "unified")];
    const kind = toolKind(entry.title);
    const rest = { ...entry.args };
    const parts = [];
    if (kind === "shell" && typeof rest.command === "string") {
      parts.push(closed(rest.command, "bash"));
      delete rest.command;
    } else if (kind === "write" && typeof rest.content === "string") {
      parts.push(closed(rest.content, languageOfPath(String(rest.path ?? ""))));
      delete rest.content;
    }
    const isPathOnly = kind !== "other" && Object.keys(rest).every((key) => key === "path");
    if (Object.keys(rest).length && !isPathOnly) parts.unshift(argumentList(rest));
    return parts;
  }
}

/** @param {string} text @param {string} language */
function closed(text, language) {
  const block = codeBlock(text, language);
  // colours want the element in the page
  queueMicrotask(() => block.close());
  return block.element;
}

/** @param {Record<string, any>} args */
function argumentList(args) {
  const rows = Object.entries(args).flatMap(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    return [el("dt", null, name), el("dd", null, el("pre", null, text), copyButton(() => text))];
  });
  return el("dl", "tool-arguments", ...rows);
}
