// @ts-check
/**
 * Where a text occurs: in an entry of the log, in the elements of its row.
 *
 * In: a query in lower case, an Entry, an element. Out: counts, ranges. Never: a change of the page's elements.
 */

/** Elements whose end is the end of a text: what stands in two of them is not one. */
const BLOCKS = "p, li, pre, td, th, h3, h4, h5, h6, blockquote, dt, dd, button, div, table";
/** Not part of what was said: when, and buttons. */
const BESIDE = ".entry-foot, .code-head, .copy-button, .entry-branches, .entry-goes-on, [hidden]";

/**
 * As domain/talk_search.py counts it: in everything that the entry shows when it is opened.
 * @param {import("./entry-log.js").Entry} entry @param {string} query
 */
export function countPlaces(entry, query) {
  let count = countIn(entry.text, query);
  if (entry.title) count += countIn(entry.title, query);
  if (entry.diff) count += countIn(entry.diff, query);
  for (const value of Object.values(entry.args)) count += countIn(String(value), query);
  return count;
}

/** @param {string} text @param {string} query */
function countIn(text, query) {
  return text ? placesIn(text.toLowerCase(), query).length : 0;
}

/** @param {string} text @param {string} query @returns {number[]} */
function placesIn(text, query) {
  const places = [];
  for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) places.push(at);
  return places;
}

/** The places of a query in the texts below an element, in order. @param {Element} element @param {string} query @returns {Range[]} */
export function rangesIn(element, query) {
  const { nodes, text } = textOf(element);
  const lower = text.toLowerCase();
  // some letters change their length with their case: then only the very same letters are marked
  const places = placesIn(lower.length === text.length ? lower : text, query);
  return places.map((at) => rangeOf(nodes, at, at + query.length));
}

/** @typedef {{node: Text, start: number}} Piece */

/** @param {Element} element */
function textOf(element) {
  /** @type {Piece[]} */
  const nodes = [];
  let text = "";
  let block = null;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = /** @type {Text | null} */ (walker.nextNode()); node; node = /** @type {Text | null} */ (walker.nextNode())) {
    const parent = node.parentElement;
    if (!parent || parent.closest(BESIDE)) continue;
    const here = parent.closest(BLOCKS);
    if (here !== block) text += "\n";
    block = here;
    nodes.push({ node, start: text.length });
    text += node.data;
  }
  return { nodes, text };
}

/** @param {Piece[]} nodes @param {number} from @param {number} to */
function rangeOf(nodes, from, to) {
  const range = document.createRange();
  const first = pieceAt(nodes, from);
  const last = pieceAt(nodes, to - 1);
  range.setStart(first.node, Math.max(0, Math.min(first.node.length, from - first.start)));
  range.setEnd(last.node, Math.max(0, Math.min(last.node.length, to - last.start)));
  return range;
}

/** @param {Piece[]} nodes @param {number} at */
function pieceAt(nodes, at) {
  let [low, high] = [0, nodes.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (nodes[middle].start <= at) low = middle;
    else high = middle - 1;
  }
  return nodes[low];
}
