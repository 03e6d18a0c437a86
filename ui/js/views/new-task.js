// @ts-check
import { html } from "/vendor/preact.js";
import { t } from "../strings.js";

export const NewTaskView = () => html`<div class="page"><h1>${t("new.title")}</h1></div>`;
