// @ts-check
/**
 * Keys of the whole page: one listener, a stack of tables, help made from the very tables that run.
 *
 * In: keydown. Out: the action of the topmost table that knows the key. Never: a plain letter taken from a text field.
 *
 * A key is written "mod+k", "shift+n", "?", "g t" (two keys in a row), "Escape". `mod` is Cmd on a Mac, else Ctrl.
 */
import { useEffect, useRef } from "/vendor/preact.js";
import { t } from "./strings.js";

/** @typedef {{keys: string, label: string, group?: string, run: (event: KeyboardEvent) => void, isHidden?: boolean}} Shortcut */

export const isMac = /mac/i.test(navigator.platform);
const SEQUENCE_MS = 900;

/** @type {{list: Shortcut[]}[]} */
const tables = [];
let prefix = "";
let prefixTimer = 0;

/** @param {EventTarget | null} target */
export function isTyping(target) {
  const node = /** @type {HTMLElement | null} */ (target);
  return !!node?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^[a-z]$/.test(key) || event.key.length > 1;
  return `${mod ? "mod+" : ""}${event.altKey ? "alt+" : ""}${event.shiftKey && isLetter ? "shift+" : ""}${key}`;
}

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const name = nameOf(event);
  if (isTyping(event.target) && !name.startsWith("mod+") && name !== "Escape") return;
  // an open dialog keeps its keys to itself, but for those that carry mod
  if (document.querySelector("dialog[open]") && !name.startsWith("mod+")) return;
  const full = prefix ? `${prefix} ${name}` : name;
  clearPrefix();
  for (let index = tables.length - 1; index >= 0; index -= 1) {
    const found = tables[index].list.find((one) => one.keys === full);
    if (found) {
      event.preventDefault();
      found.run(event);
      return;
    }
  }
  if (tables.some((table) => table.list.some((one) => one.keys.startsWith(`${full} `)))) startPrefix(full);
}

/** @param {string} name */
function startPrefix(name) {
  prefix = name;
  prefixTimer = window.setTimeout(clearPrefix, SEQUENCE_MS);
}

function clearPrefix() {
  prefix = "";
  window.clearTimeout(prefixTimer);
}

window.addEventListener("keydown", onKeydown);

/**
 * Keys that are in force while the component is on the page.
 * @param {Shortcut[]} list
 */
export function useShortcuts(list) {
  const table = useRef({ list });
  table.current.list = list;
  useEffect(() => {
    const mine = table.current;
    tables.push(mine);
    return () => {
      tables.splice(tables.indexOf(mine), 1);
    };
  }, []);
}

/** What `?` shows: all tables in force, as they are now. */
export const listShortcuts = () => tables.flatMap((table) => table.list).filter((one) => !one.isHidden);

/** "mod+k" → ["Ctrl", "K"]; "g t" → ["G", "T"]. @param {string} keys */
export function keyCaps(keys) {
  /** @type {Record<string, string>} */
  const words = { mod: isMac ? "⌘" : t("key.ctrl"), alt: isMac ? "⌥" : t("key.alt"), shift: t("key.shift") };
  const arrows = { ArrowUp: "↑", ArrowDown: "↓", Enter: "↵", Escape: "Esc" };
  return keys
    .split(/[ +]/)
    .filter(Boolean)
    .map((key) => words[key] || /** @type {any} */ (arrows)[key] || (key.length === 1 ? key.toUpperCase() : key));
}
