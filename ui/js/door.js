// @ts-check
/**
 * `pui serve` was asked for its page without a capability that counts: a reload after the page has hidden it.
 *
 * In: the address, what this tab keeps. Out: the address with the capability, or words that say what is missing.
 * Never: a second try with a capability that was refused.
 */
import { forgetKey, keptKey } from "./capability.js";

const isRefused = new URLSearchParams(window.location.search).has("k");
const key = isRefused ? "" : keptKey();
if (isRefused) forgetKey();
if (key) window.location.replace(`/?k=${encodeURIComponent(key)}${window.location.hash}`);
else /** @type {HTMLElement} */ (document.getElementById("door")).hidden = false;
