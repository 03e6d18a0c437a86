// @ts-check
/**
 * The changed files of all folders in the order in which a person should see them.
 *
 * In: ChangesView, a search. Out: files, flagged ones first. Never: the DOM, a file left out without a search.
 */

/**
 * @typedef {{id: string, group: string, folder: any, path: string, name: string, dir: string, change: string,
 *   diff: string, warning: string, added: number, removed: number}} ChangedFile `group` is "" for flagged ones
 */

/**
 * @param {any} view ChangesView @param {string} query every word must occur in the path
 * @returns {ChangedFile[]}
 */
export function fileList(view, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const files = view.folders.flatMap((/** @type {any} */ folder) => folder.changes.map((/** @type {any} */ change) => fileOf(folder, change)));
  const found = files.filter((/** @type {ChangedFile} */ file) => words.every((word) => file.path.toLowerCase().includes(word)));
  const order = new Map(view.folders.map((/** @type {any} */ folder, /** @type {number} */ index) => [folder.path, index]));
  return found.sort(
    (/** @type {ChangedFile} */ a, /** @type {ChangedFile} */ b) =>
      Number(!a.warning) - Number(!b.warning) || order.get(a.folder.path) - order.get(b.folder.path) || a.path.localeCompare(b.path),
  );
}

/** @param {any} folder @param {any} change @returns {ChangedFile} */
function fileOf(folder, change) {
  const cut = change.path.lastIndexOf("/");
  return {
    ...change,
    warning: change.warning || "",
    id: `${folder.path}\n${change.path}`,
    group: change.warning ? "" : folder.path,
    folder,
    name: change.path.slice(cut + 1),
    dir: cut > 0 ? change.path.slice(0, cut) : "",
  };
}
