// @ts-check
/**
 * What a tool call is about, in one line.
 *
 * In: the tool's name and arguments, both of the guest. Out: a short text, the kind of tool. Never: the DOM, markup.
 */

const MAX_CHARS = 160;

/** @typedef {"shell"|"read"|"write"|"edit"|"search"|"other"} ToolKind */

/** @type {Record<string, ToolKind>} */
const KINDS = {
  bash: "shell", shell: "shell", exec: "shell", read: "read", ls: "read", cat: "read", view: "read",
  write: "write", create: "write", edit: "edit", patch: "edit", apply_patch: "edit", multi_edit: "edit",
  grep: "search", find: "search", glob: "search", search: "search",
};

/** @param {string} name @returns {ToolKind} */
export const toolKind = (name) => {
  const key = name.toLowerCase(); // the guest's word: "constructor" is no kind
  return Object.hasOwn(KINDS, key) ? KINDS[key] : "other";
};

/**
 * @param {string} name @param {Record<string, any>} args
 * @returns {string} one line
 */
export function summaryOf(name, args) {
  const kind = toolKind(name);
  const path = text(args.path ?? args.file_path ?? args.file);
  if (kind === "shell") return oneLine(text(args.command ?? args.cmd));
  if (kind === "search") return oneLine([text(args.pattern ?? args.query), path].filter(Boolean).join(" · "));
  if (path) return oneLine(path + lines(args));
  const first = Object.values(args).find((value) => typeof value === "string" && value);
  return oneLine(text(first ?? (Object.keys(args).length ? JSON.stringify(args) : "")));
}

/** Which part of a file is read. @param {Record<string, any>} args */
function lines(args) {
  const from = Number(args.offset);
  const count = Number(args.limit);
  if (!Number.isInteger(from) || from < 1) return Number.isInteger(count) && count > 0 ? `:1–${count}` : "";
  return Number.isInteger(count) && count > 0 ? `:${from}–${from + count - 1}` : `:${from}`;
}

/** @param {any} value */
const text = (value) => (typeof value === "string" ? value : value === undefined || value === null ? "" : String(value));

/** @param {string} value */
function oneLine(value) {
  const line = value.slice(0, MAX_CHARS * 4).split("\n").map((part) => part.trim()).filter(Boolean).join(" ⏎ ");
  return line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS - 1)}…` : line;
}

/**
 * The last `count` lines of an output that is still growing, without walking over all of it.
 * @param {string} output @param {number} count
 */
export function lastLines(output, count) {
  let from = output.length;
  if (output.endsWith("\n")) from -= 1;
  for (let line = 0; line < count && from > 0; line += 1) from = output.lastIndexOf("\n", from - 1);
  return output.slice(Math.max(0, from + (output[from] === "\n" ? 1 : 0))).trimEnd();
}
