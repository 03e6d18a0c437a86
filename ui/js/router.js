// @ts-check
/**
 * Where the page is, by the address's fragment: `#/tasks`, `#/task/ID/changes`, `#/settings/models?from=x`; and what
 * lies over it.
 *
 * In: hashchange. Out: the signal `route`. Never: a navigation away from the page.
 */
import { signal } from "/vendor/preact.js";

/** @typedef {{path: string, parts: string[], query: URLSearchParams}} Route */

/** @param {string} hash @returns {Route} */
export function parseHash(hash) {
  const [path, query] = (hash.replace(/^#\/?/, "") || "tasks").split("?", 2);
  return { path, parts: path.split("/").map(decode), query: new URLSearchParams(query || "") };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal(parseHash(window.location.hash));

/** What lies over the page. */
export const overlay = signal(/** @type {""|"palette"|"keys"} */ (""));

window.addEventListener("hashchange", () => {
  route.value = parseHash(window.location.hash);
});

/**
 * `href("task", id, "changes")` → "#/task/<id>/changes".
 * @param {...string} parts
 */
export const href = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

/** @param {...string} parts */
export function go(...parts) {
  window.location.hash = href(...parts);
}
