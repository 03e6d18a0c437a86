// @ts-check
/**
 * What is being written, as the composer understands it: a command, a file to complete, a message.
 *
 * In: the text and the caret. Out: what to suggest, the text after a choice, a parsed own command.
 * Never: the DOM, the bridge.
 */

/** Commands that pui itself carries out; all others go to pi as they are written. */
export const OWN_COMMANDS = ["compact", "finish", "model", "thinking"];

/** @typedef {{kind: "command"|"file", query: string, from: number, to: number}} Completion `from`…`to` is what a choice replaces */

/**
 * What could be completed at the caret, or null.
 * @param {string} text @param {number} caret
 * @returns {Completion|null}
 */
export function completionAt(text, caret) {
  const before = text.slice(0, caret);
  const command = /^\/(\S*)$/.exec(before);
  if (command) return { kind: "command", query: command[1], from: 0, to: caret };
  const file = /(?:^|\s)@("[^"\n]*|[^\s"]*)$/.exec(before);
  if (!file) return null;
  const query = file[1].replace(/^"/, "");
  return { kind: "file", query, from: caret - file[1].length - 1, to: caret };
}

/**
 * @param {string} text @param {Completion} completion @param {string} choice a command's name or a file's path
 * @returns {{text: string, caret: number}}
 */
export function complete(text, completion, choice) {
  const isQuoted = completion.kind === "file" && /\s/.test(choice);
  const sign = completion.kind === "command" ? "/" : "@";
  const rest = text.slice(completion.to).replace(/^"/, "");
  const put = `${sign}${isQuoted ? `"${choice}"` : choice}${/^\s/.test(rest) ? "" : " "}`;
  return { text: text.slice(0, completion.from) + put + rest, caret: completion.from + put.length + (/^\s/.test(rest) ? 1 : 0) };
}

/**
 * The own command that a message is, or null when it is for pi.
 * @param {string} message
 * @returns {{name: string, rest: string}|null}
 */
export function ownCommand(message) {
  const found = /^\/([a-z]+)(?:\s+([\s\S]*))?$/.exec(message.trim());
  if (!found || !OWN_COMMANDS.includes(found[1])) return null;
  return { name: found[1], rest: (found[2] ?? "").trim() };
}

/**
 * Commands whose name or description fits what was typed, names that begin with it first.
 * @template {{name: string, description: string}} T
 * @param {T[]} commands @param {string} query @param {number} limit
 * @returns {T[]}
 */
export function matching(commands, query, limit) {
  const wanted = query.toLowerCase();
  const rank = (/** @type {T} */ one) => {
    const name = one.name.toLowerCase();
    if (name.startsWith(wanted)) return 0;
    if (name.includes(wanted)) return 1;
    return one.description.toLowerCase().includes(wanted) && wanted.length > 1 ? 2 : 3;
  };
  return commands
    .filter((one) => rank(one) < 3)
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
    .slice(0, limit);
}

/**
 * The queue of an aborted run put back before what is being written.
 * @param {{steering: string[], follow_up: string[]}} queue @param {string} draft
 */
export function withQueue(queue, draft) {
  return [...queue.steering, ...queue.follow_up, draft].filter((text) => text.trim()).join("\n\n");
}

/**
 * A queue with one message moved by one place, removed or changed. Steering messages come before follow-ups.
 * @param {{steering: string[], follow_up: string[]}} queue
 * @param {"steering"|"follow_up"} kind @param {number} index
 * @param {{move?: -1|1, remove?: true}} change
 */
export function changedQueue(queue, kind, index, change) {
  const list = [...queue[kind]];
  const [message] = list.splice(index, 1);
  if (message === undefined) return queue;
  if (change.move) list.splice(Math.max(0, Math.min(list.length, index + change.move)), 0, message);
  return { ...queue, [kind]: list };
}
