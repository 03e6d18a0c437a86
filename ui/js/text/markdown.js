// @ts-check
/**
 * Markdown of an agent as elements, block by block while it streams.
 *
 * In: hostile markdown. Out: elements made one by one from marked's tokens, every string a text node.
 * Never: HTML (it is shown as the text it is), an address in `href` or `src`, a style, a class from the text.
 *
 * A link carries its address in `data-address` only; who shows the text asks the host to open it.
 */
import { Lexer } from "/vendor/marked.js";
import { t } from "../strings.js";
import { BlockStream, isOpenFence } from "./markdown-blocks.js";
import { codeBlock } from "./code.js";
import { el } from "./dom.js";
import { visible } from "./marks.js";

const MAX_DEPTH = 24;
const MAX_ADDRESS_CHARS = 2048;

/** @typedef {import("./markdown-blocks.js").Token} Token */

/**
 * @param {string} text
 * @returns {Token[]}
 */
function lex(text) {
  try {
    return /** @type {any} */ (new Lexer({ gfm: true, breaks: false }).lex(text));
  } catch {
    // marked gives up on absurd nesting: such a text is shown as it is
    return [{ type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text }] }];
  }
}

/** One text that grows. Blocks that are closed are never touched again. */
export class MarkdownView {
  constructor() {
    this.element = el("div", "markdown");
    this.stream = new BlockStream(lex);
    /** @type {Node[]} */
    this.tail = [];
    /** @type {ReturnType<typeof codeBlock> | null} the open fence at the end, if that is all of the tail */
    this.openCode = null;
    this.shown = "";
    this.version = 0;
    this.isClosed = false;
  }

  /** @param {string} text all of it so far @param {boolean} isFinal @param {number} version grows when the text is another */
  update(text, isFinal, version = 0) {
    if (version !== this.version || !text.startsWith(this.shown)) this._restart(version);
    if (this.isClosed || (text === this.shown && !isFinal)) return;
    this.shown = text;
    this.isClosed = isFinal;
    const { frozen, tail } = this.stream.push(text, isFinal);
    if (this.openCode && !frozen.length && tail.length === 1 && isOpenFence(tail[0])) {
      this.openCode.set(tail[0].text);
      return;
    }
    this._drop();
    this.element.append(...blocks(frozen, 0));
    this._showTail(tail);
  }

  /** @param {number} version */
  _restart(version) {
    this.version = version;
    this.shown = "";
    this.isClosed = false;
    this.stream.reset();
    this._drop();
    this.element.replaceChildren();
  }

  _drop() {
    for (const node of this.tail) /** @type {ChildNode} */ (node).remove();
    this.tail = [];
    this.openCode = null;
  }

  /** @param {Token[]} tail */
  _showTail(tail) {
    if (tail.length === 1 && isOpenFence(tail[0])) {
      this.openCode = codeBlock(tail[0].text, tail[0].lang ?? "");
      this.tail = [this.openCode.element];
    } else this.tail = blocks(tail, 0);
    this.element.append(...this.tail);
  }
}

/**
 * @param {Token[]} tokens @param {number} depth
 * @returns {Node[]}
 */
function blocks(tokens, depth) {
  const nodes = [];
  for (const token of tokens) {
    const make = BLOCKS[token.type];
    if (depth > MAX_DEPTH || !make) {
      if (token.type !== "space" && token.type !== "def") nodes.push(el("p", null, token.raw));
    } else nodes.push(make(token, depth));
  }
  return nodes;
}

/** @type {Record<string, (token: Token, depth: number) => Node>} */
const BLOCKS = {
  // inside the page's own outline an agent's heading begins at the third level
  heading: (token, depth) => el(/** @type {"h3"} */ (`h${Math.min(6, token.depth + 2)}`), { "data-level": token.depth }, ...inline(token.tokens, depth)),
  paragraph: (token, depth) => el("p", null, ...inline(token.tokens, depth)),
  text: (token, depth) => el("p", null, ...(token.tokens ? inline(token.tokens, depth) : [decode(token.raw)])),
  html: (token) => el("p", "as-text", token.raw.trimEnd()),
  hr: () => el("hr"),
  blockquote: (token, depth) => el("blockquote", null, ...blocks(token.tokens, depth + 1)),
  code: (token) => {
    const block = codeBlock(token.text, token.lang ?? "");
    if (!isOpenFence(token)) block.close();
    return block.element;
  },
  list: (token, depth) => {
    const items = token.items.map((/** @type {Token} */ item) => listItem(item, depth));
    const isNumbered = token.ordered && Number.isSafeInteger(token.start);
    return token.ordered ? el("ol", { start: isNumbered && token.start !== 1 ? token.start : null }, ...items) : el("ul", null, ...items);
  },
  table: (token, depth) => {
    const head = el("tr", null, ...token.header.map((/** @type {Token} */ cell) => tableCell("th", cell, depth)));
    const rows = token.rows.map((/** @type {Token[]} */ row) => el("tr", null, ...row.map((cell) => tableCell("td", cell, depth))));
    const table = el("table", null, el("thead", null, head), el("tbody", null, ...rows));
    return el("div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": t("task.table") }, table);
  },
};

/** @param {Token} item @param {number} depth */
function listItem(item, depth) {
  const mark = item.task ? el("span", { class: "todo", role: "img", "aria-label": t(item.checked ? "task.todo.done" : "task.todo.open") }, item.checked ? "☑" : "☐") : null;
  const parts = item.tokens.filter((/** @type {Token} */ token) => token.type !== "checkbox");
  const content = parts.flatMap((/** @type {Token} */ token) =>
    token.type === "text" && !item.loose ? inline(token.tokens ?? [token], depth) : blocks([token], depth + 1),
  );
  return el("li", item.task ? "has-todo" : null, mark, ...content);
}

/** @param {"td"|"th"} tag @param {Token} cell @param {number} depth */
function tableCell(tag, cell, depth) {
  const align = ["left", "right", "center"].includes(cell.align) ? cell.align : null;
  return el(tag, { "data-align": align, scope: tag === "th" ? "col" : null }, ...inline(cell.tokens, depth));
}

/**
 * @param {Token[] | undefined} tokens @param {number} depth
 * @returns {(Node|string)[]}
 */
function inline(tokens, depth) {
  if (depth > MAX_DEPTH) return (tokens ?? []).map((token) => token.raw);
  return (tokens ?? []).map((token) => (INLINE[token.type] ?? asText)(token, depth + 1));
}

/** @param {Token} token */
const asText = (token) => token.raw;

/** @type {Record<string, (token: Token, depth: number) => Node|string>} */
const INLINE = {
  // raw: marked's own text has numeric references decoded already, hidden characters too
  text: (token, depth) => (token.tokens ? fragment(inline(token.tokens, depth)) : decode(token.raw)),
  escape: (token) => token.text,
  html: (token) => token.raw,
  strong: (token, depth) => el("strong", null, ...inline(token.tokens, depth)),
  em: (token, depth) => el("em", null, ...inline(token.tokens, depth)),
  del: (token, depth) => el("del", null, ...inline(token.tokens, depth)),
  codespan: (token) => el("code", null, token.text),
  br: () => el("br"),
  checkbox: () => "",
  link: (token, depth) => anchor(token.href, inline(token.tokens, depth)),
  image: (token) => el("span", { class: "image-name", title: shown(token.href) }, t("task.image_named", { name: visible(token.text) || t("task.image") })),
};

/** @param {(Node|string)[]} parts */
function fragment(parts) {
  const holder = document.createDocumentFragment();
  holder.append(...parts);
  return holder;
}

/**
 * A link that goes nowhere by itself. Only http and https look like one.
 * @param {string} address @param {(Node|string)[]} content
 */
function anchor(address, content) {
  if (!/^https?:\/\//i.test(address) || address.length > MAX_ADDRESS_CHARS) {
    return el("span", { class: "dead-link", title: shown(address) }, ...content);
  }
  return el("a", { role: "link", tabindex: "0", "data-address": address, title: shown(address) }, ...content);
}

/** An address as it can be read. @param {string} address */
const shown = (address) => visible(address.slice(0, MAX_ADDRESS_CHARS));

/** @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "…", mdash: "—", ndash: "–", copy: "©" };

/**
 * The few character references that a writer of markdown uses; others stay as they are written.
 * @param {string} text
 */
export function decode(text) {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = decimal ? Number(decimal) : parseInt(hex, 16);
    // what the host would have scrubbed must not come back by a reference
    return code >= 0x20 && code < 0x10ffff && !/[\p{C}\p{Zl}\p{Zp}]/u.test(String.fromCodePoint(code)) ? String.fromCodePoint(code) : whole;
  });
}
