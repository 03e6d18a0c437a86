// @ts-check
/**
 * A patch as a table, in one column or side by side.
 *
 * In: the text of a unified patch. Out: an element. Never: more rows at once than a page stays quick with.
 */
import { t } from "../strings.js";
import { el } from "./dom.js";
import { pairLines, parsePatch, sharedEnds } from "./diff.js";

const ROWS_AT_ONCE = 1200;
const MAX_MARKED_CHARS = 400;

/** @typedef {import("./diff.js").Line} Line */

/**
 * @param {string} patch @param {"unified"|"split"} mode
 * @returns {HTMLElement}
 */
export function diffTable(patch, mode) {
  const rows = mode === "split" ? splitRows(patch) : unifiedRows(patch);
  const body = el("tbody");
  const table = el("table", `diff ${mode}`, el("caption", "visually-hidden", t("task.diff.caption")), columns(mode), body);
  const frame = el("div", { class: "diff-frame", tabindex: "0", role: "region", "aria-label": t("task.diff.caption") }, table);
  showMore(frame, body, rows);
  return frame;
}

/** @param {"unified"|"split"} mode */
function columns(mode) {
  const kinds = mode === "split" ? ["number", "code", "number", "code"] : ["number", "number", "code"];
  return el("colgroup", null, ...kinds.map((kind) => el("col", kind)));
}

/** @param {HTMLElement} frame @param {HTMLElement} body @param {Iterator<HTMLElement>} rows */
function showMore(frame, body, rows) {
  for (let count = 0; count < ROWS_AT_ONCE; count += 1) {
    const next = rows.next();
    if (next.done) return;
    body.append(next.value);
  }
  const button = el("button", { type: "button", class: "diff-more" }, t("task.diff.more"));
  button.addEventListener("click", () => {
    button.remove();
    showMore(frame, body, rows);
  });
  frame.append(button);
}

/** @param {string} title @param {number} span @param {boolean} isFirst */
function hunkRow(title, span, isFirst) {
  if (isFirst && !title) return null;
  return el("tr", "hunk", el("td", { colspan: span }, title || "⋯"));
}

/** @param {string} patch @returns {Iterator<HTMLElement>} */
function* unifiedRows(patch) {
  let isFirst = true;
  for (const hunk of parsePatch(patch)) {
    const head = hunkRow(hunk.title, 3, isFirst);
    if (head) yield head;
    isFirst = false;
    const partner = partners(hunk.lines);
    for (const line of hunk.lines) {
      yield el("tr", line.kind, number(line.before), number(line.after), content(line, partner.get(line) ?? null));
    }
  }
}

/** @param {string} patch @returns {Iterator<HTMLElement>} */
function* splitRows(patch) {
  let isFirst = true;
  for (const hunk of parsePatch(patch)) {
    const head = hunkRow(hunk.title, 4, isFirst);
    if (head) yield head;
    isFirst = false;
    for (const { left, right } of pairLines(hunk.lines)) {
      if (left && left.kind === "note") {
        yield el("tr", "note", el("td", { colspan: 4 }, left.text));
        continue;
      }
      const isPair = left && right && left.kind === "removed";
      yield el(
        "tr",
        null,
        ...side(left, left?.before ?? null, isPair ? right : null),
        ...side(right, right?.after ?? null, isPair ? left : null),
      );
    }
  }
}

/** @param {Line|null} line @param {number|null} at @param {Line|null} partner */
function side(line, at, partner) {
  if (!line) return [el("td", "number void"), el("td", "code void")];
  const [place, code] = [number(at), content(line, partner)];
  place.classList.add(line.kind);
  code.classList.add(line.kind);
  return [place, code];
}

/** Lines that stand for each other: the n-th removed and the n-th added of one run. @param {Line[]} lines */
function partners(lines) {
  /** @type {Map<Line, Line>} */
  const found = new Map();
  for (const { left, right } of pairLines(lines)) {
    if (left && right && left.kind === "removed") found.set(left, right).set(right, left);
  }
  return found;
}

/** @param {number|null} value */
const number = (value) => el("td", { class: "number", "data-line": value ?? "" });

/** @param {Line} line @param {Line|null} partner */
function content(line, partner) {
  const cell = el("td", "code");
  const sign = line.kind === "added" ? "+" : line.kind === "removed" ? "−" : "";
  if (sign) cell.append(el("span", "sign", sign));
  cell.append(...markedText(line, partner));
  return cell;
}

/** @param {Line} line @param {Line|null} partner @returns {(Node|string)[]} */
function markedText(line, partner) {
  const { text } = line;
  if (!partner || text.length > MAX_MARKED_CHARS || partner.text.length > MAX_MARKED_CHARS) return [text];
  const ends = sharedEnds(text, partner.text);
  if (!ends || text.length === ends.start + ends.end) return [text];
  const last = text.length - ends.end;
  return [text.slice(0, ends.start), el("mark", null, text.slice(ends.start, last)), text.slice(last)];
}
