// @ts-check
/**
 * The channel that runtimes come from: its address and its trusted root, and what of them is missing.
 * In: packs. Out: the two native questions. Never: an address or a fingerprint of the page's own.
 */
import { html } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { date } from "../format.js";
import { orToast, packs } from "../store.js";
import { t } from "../strings.js";
import { Button } from "./controls.js";
import { Icon } from "./icons.js";

/** @param {string} verb */
const ask = async (verb) => {
  const found = await orToast(call(verb));
  if (found) packs.value = found;
};

export const setChannel = () => ask("pack.set_channel");
export const trustRoot = () => ask("pack.trust_root");

/** @param {any} view PackView */
export const isRootUsable = (view) => !!view.trust && !view.trust.problem;
/** @param {any} view PackView */
export const isChannelReady = (view) => !!view.channel && isRootUsable(view);

/** @param {any} trust Trust */
export function rootWords(trust) {
  if (!trust) return t("packs.no_root");
  if (trust.problem) return trust.problem;
  const words = t("packs.root_words", { version: trust.version, expires: date(Date.parse(trust.expires)) });
  return html`${words}${trust.is_shipped && ` · ${t("packs.root_shipped")}`} · <span class="mono wrap">${trust.fingerprint}</span>`;
}

/** What a channel needs before anything can be installed from it; nothing of the one that came with pui. @param {{view: any}} props */
export const ChannelNeeds = ({ view }) =>
  isChannelReady(view) && view.trust.is_shipped ? null : html`<div class="channel-needs">${!isChannelReady(view) && html`<p>${t("setup.missing")}</p>`}<ul>
    <${Need} isThere=${!!view.channel} words=${t("setup.missing_channel")} detail=${view.channel}><${Button} size="small" onClick=${setChannel}>${t("setup.set_channel")}</${Button}></${Need}>
    <${Need} isThere=${isRootUsable(view)} words=${t("setup.missing_root")} detail=${view.trust && rootWords(view.trust)}><${Button} size="small" icon="shield" onClick=${trustRoot}>${t("packs.root_trust")}</${Button}></${Need}>
  </ul></div>`;

/** @param {{isThere: boolean, words: string, detail: any, children?: any}} props */
const Need = ({ isThere, words, detail, children }) =>
  html`<li class=${isThere ? "done" : "todo"}><${Icon} name=${isThere ? "check" : "blocked"} size=${14} label=${t(isThere ? "setup.step_done" : "setup.needed")} />
    <span><b>${words}</b>${detail && html`<small class="wrap">${detail}</small>`}</span>${children}</li>`;
