// @ts-check
/**
 * Lists that are one stop for Tab and moved through by j, k, arrows, Home and End.
 * In: the list's element. Out: focus. Never: a key taken from a text field.
 */
import { isTyping } from "../keys.js";

/**
 * For onKeyDown of a list whose stops carry `data-stop`.
 * @param {KeyboardEvent} event
 */
export function rove(event) {
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const stops = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-stop]")]);
  const at = stops.findIndex((stop) => stop.contains(/** @type {Node} */ (event.target)));
  const last = stops.length - 1;
  const to = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
  if (to === undefined || !stops.length) return;
  event.preventDefault();
  const stop = stops[Math.max(0, Math.min(last, to))];
  stop.focus();
  stop.scrollIntoView({ block: "nearest" });
}
