// @ts-check
/**
 * Tells the host whether the person is at the page, so that it notifies only who looks elsewhere.
 *
 * In: focus and visibility of the document, hellos. Out: app.presence when it changed. Never: a notification of its own.
 */
import { effect } from "/vendor/preact.js";
import { call } from "./bridge.js";
import { helloCount } from "./store.js";

/** What came with the hello is drawn first. */
const AFTER_HELLO_MS = 100;

/** What the host was told last; a new hello begins anew. @type {boolean | null} */
let told = null;

const isHere = () => document.visibilityState === "visible" && document.hasFocus();

async function tell() {
  const here = isHere();
  if (!helloCount.value || here === told) return;
  told = here;
  try {
    await call("app.presence", { is_here: here });
  } catch {
    told = null; // a lost connection has a banner of its own, and the next hello says it again
  }
}

/** Follow the document from now on. */
export function followPresence() {
  for (const name of ["focus", "blur"]) window.addEventListener(name, tell);
  document.addEventListener("visibilitychange", tell);
  effect(() => {
    if (helloCount.value) {
      told = null;
      window.setTimeout(tell, AFTER_HELLO_MS);
    }
  });
}
