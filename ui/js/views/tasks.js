// @ts-check
import { html } from "/vendor/preact.js";
import { t } from "../strings.js";

export const TasksView = () => html`<div class="page"><h1>${t("tasks.title")}</h1></div>`;
