// @ts-check
import { html } from "/vendor/preact.js";
import { t } from "../strings.js";

export const SetupView = () => html`<div class="page"><h1>${t("setup.title")}</h1></div>`;
