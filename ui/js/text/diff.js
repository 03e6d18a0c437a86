// @ts-check
/**
 * Unified patches as rows a view can draw, one column or two.
 *
 * In: the text of a patch (of the host or of a guest's tool). Out: hunks, rows, counts. Never: the DOM, an exception.
 */

/**
 * @typedef {{kind: "same"|"added"|"removed"|"note", text: string, before: number|null, after: number|null}} Line
 * @typedef {{title: string, lines: Line[]}} Hunk
 * @typedef {{left: Line|null, right: Line|null}} Pair
 */

const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;
const FILE_LINES = /^(?:---|\+\+\+|diff |index |old mode|new mode|new file|deleted file|similarity|rename |copy )/;

/**
 * The hunks of a patch. Lines that belong to none are kept as notes, so that nothing is hidden.
 * @param {string} patch
 * @returns {Hunk[]}
 */
export function parsePatch(patch) {
  /** @type {Hunk[]} */
  const hunks = [];
  const state = { before: 0, after: 0, left: 0, right: 0 };
  const lines = patch.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  for (const line of lines) {
    const isInside = state.left > 0 || state.right > 0;
    const header = isInside ? null : HEADER.exec(line);
    if (header) {
      hunks.push({ title: header[5], lines: [] });
      begin(state, header);
    } else if (isInside) hunks[hunks.length - 1].lines.push(take(state, line));
    else note(hunks, line);
  }
  return hunks;
}

/** @param {{before: number, after: number, left: number, right: number}} state @param {RegExpExecArray} header */
function begin(state, header) {
  state.before = Number(header[1]);
  state.after = Number(header[3]);
  state.left = header[2] === undefined ? 1 : Number(header[2]);
  state.right = header[4] === undefined ? 1 : Number(header[4]);
}

/**
 * @param {{before: number, after: number, left: number, right: number}} state
 * @param {string} line
 * @returns {Line}
 */
function take(state, line) {
  const sign = line[0];
  const text = line.slice(1);
  if (sign === "+") {
    state.right -= 1;
    return { kind: "added", text, before: null, after: state.after++ };
  }
  if (sign === "-") {
    state.left -= 1;
    return { kind: "removed", text, before: state.before++, after: null };
  }
  if (sign === "\\") return { kind: "note", text: text.trim(), before: null, after: null };
  state.left -= 1;
  state.right -= 1;
  return { kind: "same", text, before: state.before++, after: state.after++ };
}

/** @param {Hunk[]} hunks @param {string} line */
function note(hunks, line) {
  if (FILE_LINES.test(line)) return;
  if (!hunks.length) hunks.push({ title: "", lines: [] });
  const text = line.startsWith("\\") ? line.slice(1).trim() : line;
  hunks[hunks.length - 1].lines.push({ kind: "note", text, before: null, after: null });
}

/**
 * The rows of a hunk side by side: a run of removed lines stands beside the run of added ones that follows.
 * @param {Line[]} lines
 * @returns {Pair[]}
 */
export function pairLines(lines) {
  /** @type {Pair[]} */
  const pairs = [];
  let index = 0;
  while (index < lines.length) {
    const kind = lines[index].kind;
    if (kind === "same" || kind === "note") {
      pairs.push({ left: lines[index], right: lines[index] });
      index += 1;
      continue;
    }
    const removed = runOf(lines, index, "removed");
    const added = runOf(lines, index + removed.length, "added");
    for (let row = 0; row < Math.max(removed.length, added.length); row += 1) {
      pairs.push({ left: removed[row] ?? null, right: added[row] ?? null });
    }
    index += removed.length + added.length;
  }
  return pairs;
}

/** @param {Line[]} lines @param {number} start @param {string} kind */
function runOf(lines, start, kind) {
  let end = start;
  while (end < lines.length && lines[end].kind === kind) end += 1;
  return lines.slice(start, end);
}

/**
 * What differs between two versions of one line: the lengths of what both begin and end with.
 * Null when so little is shared that marking would only be noise.
 * @param {string} before @param {string} after
 * @returns {{start: number, end: number}|null}
 */
export function sharedEnds(before, after) {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const shared = before.slice(0, start).trim().length + before.slice(before.length - end).trim().length;
  return shared * 3 >= Math.max(before.length, after.length) ? { start, end } : null;
}

/**
 * @param {Hunk[]} hunks
 * @returns {{added: number, removed: number}} lines
 */
export function countChanges(hunks) {
  const counts = { added: 0, removed: 0 };
  for (const hunk of hunks) {
    for (const line of hunk.lines) {
      if (line.kind === "added") counts.added += 1;
      else if (line.kind === "removed") counts.removed += 1;
    }
  }
  return counts;
}
