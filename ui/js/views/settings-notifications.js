// @ts-check
/**
 * What pui tells on the desktop while the person looks elsewhere. In: settings, what the host can do. Out: settings.set.
 * Never: a permission asked of the browser: the host notifies, whatever shows the page.
 */
import { html } from "/vendor/preact.js";
import { Notice } from "../components/controls.js";
import { app, settings } from "../store.js";
import { t } from "../strings.js";
import { Group, SwitchRow, change } from "./settings.js";

const KINDS = ["needs_you", "done", "failed"];

export function Notifications() {
  const own = settings.value;
  const problem = app.value.notifications?.problem;
  return html`<${Group} title=${t("notifications.title")} hint=${t("notifications.hint")}>
      ${KINDS.map((kind) => html`<${SwitchRow} key=${kind} id="notify-${kind}" label=${t(`notifications.${kind}`)} hint=${t(`notifications.${kind}_hint`)} isOn=${own[`notify_${kind}`]} onChange=${(/** @type {boolean} */ value) => change(`notify_${kind}`, value)} />`)}
    </${Group}>
    ${problem && html`<${Notice} level="info" title=${t("notifications.not_here")}>${problem}</${Notice}>`}`;
}
