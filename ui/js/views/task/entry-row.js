// @ts-check
/**
 * One entry of the transcript as an element that can follow its entry while it streams.
 *
 * In: an Entry of the log, as it is now. Out: an article. Never: markup of the guest, a link that navigates.
 */
import { el, glyph } from "../../text/dom.js";
import { copyButton } from "../../text/code.js";
import { MarkdownView } from "../../text/markdown.js";
import { clock, shortDuration } from "../../format.js";
import { href } from "../../router.js";
import { t } from "../../strings.js";
import { ToolCard } from "./tool-card.js";

const CHEVRON = "m6 3.8 4.2 4.2L6 12.2";
const BRANCH = "M5 6.200v7M5 6.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400ZM11.500 7.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400ZM11.500 7.200c0 2.600-1.800 3.600-6.500 3.600";
const MAX_FOLDED_CHARS = 1400;
const MAX_FOLDED_LINES = 18;

/**
 * @typedef {{host: {openLink: (key: number, index: number, address: string) => void, earlierKeys: () => number,
 *   branch: (entry: Entry) => void}, opened: Map<number, boolean>, branchKey: number, branches: Map<number, any[]>}} Owner
 * @typedef {import("./entry-log.js").Entry} Entry
 */

export class EntryRow {
  /** @param {Entry} entry @param {Owner} owner */
  constructor(entry, owner) {
    this.entry = entry;
    this.owner = owner;
    this.height = 0;
    const Body = BODIES[entry.kind] ?? NoticeBody;
    this.body = new Body(entry, owner);
    this.element = el("article", { class: `entry kind-${entry.kind}`, "data-key": entry.key, "aria-label": labelOf(entry) }, this.body.element);
    const earlier = owner.host.earlierKeys();
    this.element.classList.toggle("is-earlier", entry.key <= earlier);
    if (earlier && entry.key === earlier + 1) this.element.prepend(el("p", "entry-goes-on", t("task.continue.here_on")));
    this.element.addEventListener("click", (event) => this._follow(event));
    this.element.addEventListener("keydown", (event) => event.key === "Enter" && this._follow(event));
    this.update();
    this.showBranches();
  }

  /** The tasks that branch off before this message, and that it is being written anew. */
  showBranches() {
    this.element.classList.toggle("is-branching", this.owner.branchKey === this.entry.key);
    const rows = this.owner.branches.get(this.entry.key) ?? [];
    this.branches?.remove();
    this.branches = undefined;
    if (!rows.length) return;
    const links = rows.map((row) => el("a", { class: "branch-link", href: href("task", row.task_id), title: row.title }, glyph(BRANCH), row.title));
    this.branches = el("nav", { class: "entry-branches", "aria-label": t("task.branch.from_here") }, ...links);
    this.element.append(this.branches);
  }

  update() {
    this.element.classList.toggle("is-live", !this.entry.is_final);
    this.element.classList.toggle("is-error", this.entry.is_error);
    this.body.update();
  }

  /** A link was chosen: the host asks about it and opens it. @param {Event} event */
  _follow(event) {
    const link = /** @type {HTMLElement} */ (event.target).closest("[data-address]");
    if (!(link instanceof HTMLElement)) return;
    event.preventDefault();
    const address = link.dataset.address ?? "";
    this.owner.host.openLink(this.entry.key, linkIndex(this.entry.links ?? [], address), address);
  }
}

/** The place of an address in the links that the host found, -1 when it is not among them. @param {string[]} links @param {string} address */
export function linkIndex(links, address) {
  const exact = links.indexOf(address);
  return exact >= 0 ? exact : links.findIndex((link) => canonical(link) === canonical(address));
}

/** @param {string} address */
function canonical(address) {
  try {
    return new URL(address).href;
  } catch {
    return address;
  }
}

/** @param {Entry} entry */
function labelOf(entry) {
  const name = t(`task.entry.${KNOWN.has(entry.kind) ? entry.kind : "notice"}`);
  return entry.kind === "tool" ? `${name}: ${entry.title}` : name;
}

const KNOWN = new Set(["user", "text", "thinking", "tool", "error", "notice"]);

/** When it was said, and buttons: one takes it along. @param {Entry} entry @param {...HTMLElement} more */
function foot(entry, ...more) {
  const time = entry.at_ms ? el("time", { title: new Date(entry.at_ms).toLocaleString() }, clock(entry.at_ms)) : null;
  return el("div", "entry-foot", time, ...more, copyButton(() => entry.text));
}

/** Write a message anew. Every message has it; whether it is offered is the transcript's. @param {Entry} entry @param {Owner} owner */
function branchButton(entry, owner) {
  const words = t("task.branch.here");
  return el("button", { class: "copy-button branch-here", type: "button", title: words, "aria-label": words, onclick: () => owner.host.branch(entry) }, glyph(BRANCH));
}

class UserBody {
  /** @param {Entry} entry @param {Owner} owner */
  constructor(entry, owner) {
    this.entry = entry;
    this.owner = owner;
    this.textNode = el("div", "user-text");
    this.element = el("div", "bubble", this.textNode, foot(entry, branchButton(entry, owner)));
    /** @type {string | null} */
    this.shown = null;
  }

  update() {
    if (this.shown !== this.entry.text) {
      this.shown = this.entry.text;
      const isLong = this.shown.length > MAX_FOLDED_CHARS || this.shown.split("\n").length > MAX_FOLDED_LINES;
      this.textNode.replaceChildren(...namedImages(this.shown));
      if (isLong && !this.more) this.element.append((this.more = this._moreButton()));
    }
    this._fold();
  }

  _fold() {
    if (!this.more) return;
    const isOpen = this.owner.opened.get(this.entry.key) ?? false;
    this.textNode.classList.toggle("folded", !isOpen);
    this.more.textContent = t(isOpen ? "task.entry.less" : "task.entry.more");
  }

  _moreButton() {
    const button = el("button", { type: "button", class: "text-button" }, t("task.entry.more"));
    button.addEventListener("click", () => {
      const isOpen = !(this.owner.opened.get(this.entry.key) ?? false);
      this.owner.opened.set(this.entry.key, isOpen);
      this._fold();
    });
    return button;
  }
}

/** Text with every "[image]" line as a named picture. @param {string} text @returns {(Node|string)[]} */
function namedImages(text) {
  let count = 0;
  return text.split(/(^\[image\]$)/m).map((part) => {
    if (part !== "[image]") return part;
    count += 1;
    return el("span", "image-name", t("task.image_number", { n: count }));
  });
}

class TextBody {
  /** @param {Entry} entry */
  constructor(entry) {
    this.entry = entry;
    this.view = new MarkdownView();
    this.element = el("div", "said", this.view.element, foot(entry));
  }

  update() {
    this.view.update(this.entry.text, this.entry.is_final, this.entry.version);
  }
}

class ThinkingBody {
  /** @param {Entry} entry @param {Owner} owner */
  constructor(entry, owner) {
    this.entry = entry;
    this.owner = owner;
    this.hint = el("span", "thinking-hint");
    this.head = el("button", { type: "button", class: "thinking-head", "aria-expanded": "false" }, glyph(CHEVRON, "chevron"), el("span", null, t("task.entry.thinking")), this.hint);
    this.head.addEventListener("click", () => this._toggle());
    this.element = el("div", "thinking-body", this.head);
  }

  get isOpen() {
    return this.owner.opened.get(this.entry.key) ?? false;
  }

  _toggle() {
    this.owner.opened.set(this.entry.key, !this.isOpen);
    this.update();
  }

  update() {
    this.head.setAttribute("aria-expanded", String(this.isOpen));
    const lines = this.entry.text.trimEnd();
    this.hint.textContent = this.isOpen ? "" : this.entry.is_final ? firstLine(lines) : lines.slice(lines.lastIndexOf("\n") + 1).slice(-160);
    if (!this.isOpen) {
      this.view?.element.remove();
      this.view = undefined;
      return;
    }
    if (!this.view) {
      this.view = new MarkdownView();
      this.element.append(this.view.element);
    }
    this.view.update(this.entry.text, this.entry.is_final, this.entry.version);
  }
}

/** Without the marks of markdown that would stand alone in it. @param {string} text */
function firstLine(text) {
  return (text.split("\n", 1)[0] ?? "").replace(/^[#>*\s-]+|\*\*/g, "").slice(0, 160);
}

class NoticeBody {
  /** @param {Entry} entry */
  constructor(entry) {
    this.entry = entry;
    this.textNode = el("span", "notice-text");
    const icon = entry.kind === "error" || entry.is_error ? "M8 2.2 14.3 13H1.7L8 2.2ZM8 6.5v3M8 11.3v.2" : "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.4V11M8 5v.2";
    this.element = el("div", "notice-line", glyph(icon), this.textNode);
  }

  update() {
    const duration = this.entry.duration_ms;
    this.textNode.textContent = this.entry.text + (duration ? ` · ${shortDuration(duration)}` : "");
  }
}

/** @type {Record<string, new (entry: Entry, owner: Owner) => {element: HTMLElement, update: () => void}>} */
const BODIES = { user: UserBody, text: TextBody, thinking: ThinkingBody, tool: ToolCard, error: NoticeBody, notice: NoticeBody };
