// @ts-check
import { html } from "/vendor/preact.js";
import { t } from "../strings.js";

export const SettingsView = () => html`<div class="page"><h1>${t("settings.title")}</h1></div>`;
