// @ts-check
/**
 * Settings in seven places. In: settings, packs, models, folders. Out: settings.set and the verbs of each place.
 * Never: a key that stays in the page after it was sent.
 */
import { html } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { THINKING_LEVELS } from "../draft.js";
import { memory } from "../format.js";
import { href } from "../router.js";
import { app, folders, liveCount, models, orToast, packs, settings, setup } from "../store.js";
import { languages, t } from "../strings.js";
import { Button, Notice, Segmented, Select, Switch } from "../components/controls.js";
import { confirm } from "../components/dialog.js";
import { Icon } from "../components/icons.js";
import { JobCard } from "../components/job.js";
import { KeyTable } from "../palette.js";
import { CPU_STEPS, MEMORY_STEPS_MIB, modelFrom, modelOptions, stepsWithin } from "./new-task-choices.js";
import { Models } from "./settings-models.js";
import { Notifications } from "./settings-notifications.js";
import { Packs } from "./settings-packs.js";

export const SECTIONS = ["packs", "models", "defaults", "look", "notifications", "data", "keys"];
const TEXT_SCALES = [80, 90, 100, 110, 125, 150, 175, 200];

/** @param {string} key @param {any} value */
export async function change(key, value) {
  const changed = await orToast(call("settings.set", { key, value }));
  if (changed) settings.value = changed;
}

/** @param {{section?: string}} props */
export function SettingsView({ section = "packs" }) {
  const parts = new Map([["packs", Packs], ["models", Models], ["defaults", Defaults], ["look", Look], ["notifications", Notifications], ["data", Data], ["keys", Keyboard]]);
  const here = parts.has(section) ? section : "packs";
  const Part = parts.get(here);
  return html`<div class="page settings-page">
    <header class="page-head"><h1>${t("settings.title")}</h1></header>
    <nav class="settings-tabs" aria-label=${t("settings.title")}>${SECTIONS.map((one) => html`<a key=${one} href=${href("settings", one)} aria-current=${one === here ? "page" : undefined}>${t(`settings.${one}`)}</a>`)}</nav>
    <div class="settings-body"><${Part} key=${here} /></div>
  </div>`;
}

/** A titled group of rows. @param {{title: string, hint?: string, children?: any, actions?: any}} props */
export const Group = ({ title, hint, children, actions }) =>
  html`<section class="group"><header><div><h2>${title}</h2>${hint && html`<p class="hint">${hint}</p>`}</div>${actions && html`<div class="button-row">${actions}</div>`}</header>
    <div class="card group-rows">${children}</div></section>`;

/** One setting: words on the left, control on the right. @param {{label: any, hint?: any, children?: any}} props */
export const Row = ({ label, hint, children }) =>
  html`<div class="row"><div class="row-words"><span>${label}</span>${hint && html`<small>${hint}</small>`}</div><div class="row-control">${children}</div></div>`;

/** @param {{id: string, label: string, hint?: string, options: any[], value: any, onChange: (value: any) => void}} props */
export const SelectRow = ({ id, label, hint, options, value, onChange }) =>
  html`<${Row} label=${html`<label for=${id}>${label}</label>`} hint=${hint}><${Select} id=${id} value=${value} options=${options} onChange=${onChange} /></${Row}>`;

/** @param {{id: string, label: string, hint?: string, isOn: boolean, onChange: (isOn: boolean) => void, disabled?: boolean}} props */
export const SwitchRow = (props) => html`<div class="row"><${Switch} ...${props} /></div>`;

// what new tasks begin with

function Defaults() {
  const own = settings.value;
  const limits = setup.value.limits;
  const model = own.model || models.value.default;
  const networks = ["model", "offline"].map((value) => ({ value, label: t(`network.${value}`), icon: value === "offline" ? "offline" : "network" }));
  const steps = (/** @type {number[]} */ all, /** @type {number[]} */ range, /** @type {number} */ value, /** @type {(n: number) => string} */ word) => stepsWithin(all, range, value).map((one) => ({ value: one, label: word(one) }));
  return html`<${Group} title=${t("settings.defaults_title")} hint=${t("settings.defaults_hint")}>
      <${SelectRow} id="d-model" label=${t("new.model")} value="${model.provider}/${model.model}" options=${modelOptions(model)} onChange=${(/** @type {string} */ value) => change("model", modelFrom(value))} />
      <${SelectRow} id="d-thinking" label=${t("new.thinking")} value=${own.thinking} options=${THINKING_LEVELS.map((value) => ({ value, label: t(`thinking.${value}`) }))} onChange=${(/** @type {string} */ value) => change("thinking", value)} />
      <${Row} label=${t("new.network")} hint=${t(`network.${own.network}_long`)}><${Segmented} label=${t("new.network")} value=${own.network} options=${networks} onChange=${(/** @type {string} */ value) => change("network", value)} /></${Row}>
      <${SelectRow} id="d-memory" label=${t("new.memory")} hint=${t("settings.memory_hint", { low: memory(limits.memory_range_mib[0]), high: memory(limits.memory_range_mib[1]) })} value=${own.memory_mib} options=${steps(MEMORY_STEPS_MIB, limits.memory_range_mib, own.memory_mib, memory)} onChange=${(/** @type {number} */ value) => change("memory_mib", value)} />
      <${SelectRow} id="d-cpu" label=${t("new.cpu")} value=${own.cpu_count} options=${steps(CPU_STEPS, limits.cpu_range, own.cpu_count, String)} onChange=${(/** @type {number} */ value) => change("cpu_count", value)} />
      <${SwitchRow} id="d-cache" label=${t("new.cache")} hint=${t("new.cache_hint")} isOn=${own.cache} onChange=${(/** @type {boolean} */ value) => change("cache", value)} />
    </${Group}>
    <${Group} title=${t("settings.folders")} hint=${t("settings.folders_hint")}>
      ${folders.value.length ? folders.value.map((one) => html`<${Row} key=${one.id} label=${html`<span class="with-icon"><${Icon} name="folder" size=${14} />${one.name}</span>`} hint=${html`<span class="wrap">${one.path}</span>${one.exists ? null : html` <span class="error-text">${t("new.folder_gone")}</span>`}`}>
        <${Button} size="small" kind="quiet" onClick=${() => forget(one)}>${t("settings.forget")}</${Button}></${Row}>`) : html`<p class="row hint">${t("settings.no_folders")}</p>`}
    </${Group}>`;
}

/** @param {any} folder */
async function forget(folder) {
  const isSure = await confirm({ title: t("settings.forget_folder"), lines: [t("settings.forget_folder_line", { name: folder.name })], yes: t("settings.forget") });
  if (isSure) await orToast(call("folder.forget", { folder_id: folder.id }));
}

// look

function Look() {
  const own = settings.value;
  const few = (/** @type {string} */ key, /** @type {string[]} */ values) =>
    html`<${Row} label=${t(`look.${key}`)}><${Segmented} label=${t(`look.${key}`)} value=${own[key]} options=${values.map((value) => ({ value, label: t(`look.${key}_${value}`) }))} onChange=${(/** @type {string} */ value) => change(key, value)} /></${Row}>`;
  const names = new Intl.DisplayNames([own.language], { type: "language" });
  return html`<${Group} title=${t("look.title")}>
    ${few("theme", ["system", "light", "dark"])}${few("contrast", ["normal", "high"])}
    <${SelectRow} id="text-scale" label=${t("look.text_scale")} value=${own.text_scale} options=${[...new Set([...TEXT_SCALES, own.text_scale])].sort((a, b) => a - b).map((value) => ({ value, label: `${value} %` }))} onChange=${(/** @type {number} */ value) => change("text_scale", value)} />
    ${few("motion", ["system", "reduced"])}
    <${SelectRow} id="language" label=${t("look.language")} value=${own.language} options=${[...new Set([...languages(), own.language])].map((value) => ({ value, label: names.of(value) || value }))} onChange=${(/** @type {string} */ value) => change("language", value)} />
  </${Group}>`;
}

// data, keys

function Data() {
  const move = () => orToast(call("data.move"));
  const job = packs.value.job;
  return html`${job?.kind === "move" && html`<${JobCard} job=${job} onRetry=${move} />`}
    <${Group} title=${t("settings.place")} hint=${t("settings.data_hint")}>
      <${Row} label=${t("setup.data_dir")} hint=${html`<span class="mono wrap">${settings.value.data_dir}</span>`}><${Button} disabled=${liveCount.value > 0} title=${liveCount.value > 0 ? t("settings.move_busy") : undefined} onClick=${move}>${t("settings.move")}</${Button}></${Row}>
    </${Group}>
    <${Group} title=${t("settings.about")}>
      <${Row} label=${t("settings.version")}>${app.value.version}</${Row}>
      <${Row} label=${t("settings.platform")}>${app.value.platform}</${Row}>
      ${app.value.is_emulation_allowed && html`<${Row} label=${t("settings.switch")} hint=${t("emulated.meaning")}><span class="badge loud">PUI_ALLOW_TCG</span></${Row}>`}
    </${Group}>
    ${app.value.notes.map((/** @type {string} */ note) => html`<${Notice} key=${note} level="warning">${note}</${Notice}>`)}`;
}

const Keyboard = () => html`<div class="card keys-card"><${KeyTable} /></div>`;
