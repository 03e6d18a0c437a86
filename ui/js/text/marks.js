// @ts-check
/**
 * Characters that a person cannot see but a machine reads: bidi overrides, zero width, controls (threats.md I9).
 *
 * In: text that was typed or pasted. Out: where they are, what they are called, the text without them.
 * Never: the DOM, a silent change of what the person wrote.
 */

const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** Joiners are part of emoji and of some scripts: hidden only where they join nothing. */
const JOINED = /[\p{Extended_Pictographic}\p{L}\p{M}\u{1f3fb}-\u{1f3ff}\ufe0f]/u;

/** @type {Record<string, string>} */
const NAMES = {
  "202A": "left-to-right embedding",
  "202B": "right-to-left embedding",
  "202C": "end of direction",
  "202D": "left-to-right override",
  "202E": "right-to-left override",
  "2066": "left-to-right isolate",
  "2067": "right-to-left isolate",
  "2068": "first strong isolate",
  "2069": "end of isolate",
  "200B": "zero width space",
  "200C": "zero width non-joiner",
  "200D": "zero width joiner",
  "200E": "left-to-right mark",
  "200F": "right-to-left mark",
  "00AD": "soft hyphen",
  "061C": "Arabic letter mark",
  "FEFF": "byte order mark",
  "001B": "escape",
  "0000": "null",
};

/** @typedef {{index: number, length: number, code: string, name: string}} Mark */

/**
 * Every hidden character of `text`, in order. CR of a CRLF is none.
 * @param {string} text
 * @param {number} [limit]
 * @returns {Mark[]}
 */
export function findHidden(text, limit = 500) {
  /** @type {Mark[]} */
  const marks = [];
  for (const match of text.matchAll(HIDDEN)) {
    if (isHarmless(text, match.index, match[0])) continue;
    const code = codeOf(match[0]);
    marks.push({ index: match.index, length: match[0].length, code: `U+${code}`, name: nameOf(code) });
    if (marks.length >= limit) break;
  }
  return marks;
}

/** @param {string} code */
function nameOf(code) {
  if (NAMES[code]) return NAMES[code];
  if (code.length === 5) return "invisible tag";
  return parseInt(code, 16) < 0xa0 ? "control character" : "invisible character";
}

/** @param {string} text @param {number} index @param {string} found */
function isHarmless(text, index, found) {
  if (found === "\r") return text[index + 1] === "\n";
  if (found !== "\u200d" && found !== "\u200c") return false;
  const before = [...text.slice(Math.max(0, index - 2), index)].pop() ?? "";
  const after = String.fromCodePoint(text.codePointAt(index + 1) ?? 32);
  return JOINED.test(before) && JOINED.test(after) && /[^\u0000-\u024f]/u.test(before);
}

/**
 * `text` with its hidden characters written out, as the host does it for a guest's texts.
 * @param {string} text
 */
export const visible = (text) => text.replace(HIDDEN, (found) => `<U+${codeOf(found)}>`);

/** @param {string} found */
const codeOf = (found) => /** @type {number} */ (found.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0");

/**
 * `text` without its hidden characters.
 * @param {string} text
 */
export function withoutHidden(text) {
  const marks = findHidden(text, Infinity);
  let from = 0;
  let clean = "";
  for (const mark of marks) {
    clean += text.slice(from, mark.index);
    from = mark.index + mark.length;
  }
  return clean + text.slice(from);
}

/**
 * `text` cut at its marks: what a preview shows in order, at most `limit` characters around the first marks.
 * @param {string} text @param {Mark[]} marks @param {number} [around] characters of context
 * @returns {(string|Mark)[]}
 */
export function markedPieces(text, marks, around = 24) {
  /** @type {(string|Mark)[]} */
  const pieces = [];
  let from = 0;
  for (const mark of marks) {
    const gap = text.slice(from, mark.index);
    if (gap.length > around * 2) pieces.push(`${from ? gap.slice(0, around) : ""}…${gap.slice(-around)}`);
    else if (gap) pieces.push(gap);
    pieces.push(mark);
    from = mark.index + mark.length;
  }
  const rest = text.slice(from);
  if (rest) pieces.push(rest.length > around ? `${rest.slice(0, around)}…` : rest);
  return pieces;
}
