// @ts-check
/**
 * The capability in the address of `pui serve`, out of sight: not in the address bar, in bookmarks and on screenshots.
 *
 * In: the address of a page that has started. Out: an address without it; the capability in this tab's own storage, from
 * which a reload takes it (door.js). Never: in the window, whose policy knows its one address; in storage of other tabs.
 *
 * It opens nothing that a script of this origin could not do by itself, and is worthless once `pui serve` has ended.
 */
const NAME = "pui-capability";

export function hideKey() {
  const key = new URLSearchParams(window.location.search).get("k");
  if (!key) return;
  try {
    window.sessionStorage.setItem(NAME, key);
  } catch {
    return; // a browser without storage: a reload needs the address as it is
  }
  window.history.replaceState(window.history.state, "", `/${window.location.hash}`);
}

export function keptKey() {
  try {
    return window.sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

export function forgetKey() {
  try {
    window.sessionStorage.removeItem(NAME);
  } catch {
    // nothing was kept
  }
}
