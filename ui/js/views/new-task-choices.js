// @ts-check
/**
 * Model, thinking, network, memory, processors, cache of a new task; each says what it means.
 * In: the draft and its faults. Out: changes. Never: a model that cannot be used without saying why.
 */
import { html } from "/vendor/preact.js";
import { THINKING_LEVELS, providerFault } from "../draft.js";
import { memory } from "../format.js";
import { href } from "../router.js";
import { models, setup } from "../store.js";
import { t } from "../strings.js";
import { Field, Segmented, Select, Switch } from "../components/controls.js";

export const MEMORY_STEPS_MIB = [512, 768, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
export const CPU_STEPS = [1, 2, 4, 6, 8, 12, 16, 24, 32];

/** The steps within a range, and the value itself though it be between them. @param {number[]} steps @param {number[]} range @param {number} value */
export const stepsWithin = (steps, [low, high], value) =>
  [...new Set([...steps.filter((one) => one >= low && one <= high), value])].sort((a, b) => a - b);

/** One line per model that is known: usable ones first. @param {{provider: string, model: string}} chosen */
export function modelOptions(chosen) {
  const all = models.value.providers.flatMap((/** @type {any} */ provider) => {
    const fault = providerFault(provider);
    const names = provider.models.length ? provider.models : [provider.default_model].filter(Boolean);
    const label = (/** @type {string} */ name) => (provider.name === "demo" ? provider.label : `${name} · ${provider.label}`);
    return names.map((/** @type {string} */ name) => ({ value: `${provider.name}/${name}`, label: fault ? `${label(name)} – ${t("new.not_usable")}` : label(name), isOff: !!fault }));
  });
  const value = chosen ? `${chosen.provider}/${chosen.model}` : "";
  if (value && !all.some((/** @type {any} */ one) => one.value === value)) all.unshift({ value, label: value, isOff: false });
  return all.sort((/** @type {any} */ a, /** @type {any} */ b) => Number(a.isOff) - Number(b.isOff));
}

/** @param {string} value @returns {{provider: string, model: string}} */
export function modelFrom(value) {
  const at = value.indexOf("/");
  return { provider: value.slice(0, at), model: value.slice(at + 1) };
}

/** @param {{draft: any, faults: Record<string, any>, set: (change: any) => void}} props */
export function Choices({ draft, faults, set }) {
  const limits = setup.value.limits;
  const modelFault = faults.model;
  const modelAside = modelFault?.link && html`<a class="link" href=${href("settings", "models")}>${t("new.open_models")}</a>`;
  return html`<div class="choices">
    <${Field} id="model" label=${t("new.model")} error=${modelFault?.error} aside=${modelAside}><${Select} id="model" value="${draft.model?.provider}/${draft.model?.model}" options=${modelOptions(draft.model)} onChange=${(/** @type {string} */ value) => set({ model: modelFrom(value) })} aria-describedby="model-note" /></${Field}>
    <${Field} id="thinking" label=${t("new.thinking")}><${Select} id="thinking" value=${draft.thinking} options=${THINKING_LEVELS.map((value) => ({ value, label: t(`thinking.${value}`) }))} onChange=${(/** @type {string} */ value) => set({ thinking: value })} /></${Field}>
    <${Field} id="memory" label=${t("new.memory")} error=${faults.memory?.error} warning=${faults.memory?.warning}><${Select} id="memory" value=${draft.memory_mib} options=${stepsWithin(MEMORY_STEPS_MIB, limits.memory_range_mib, draft.memory_mib).map((value) => ({ value, label: memory(value) }))} onChange=${(/** @type {number} */ value) => set({ memory_mib: value })} aria-describedby="memory-note" /></${Field}>
    <div class="field choice-network"><span class="label" id="network-label">${t("new.network")}</span>
      <${Segmented} label=${t("new.network")} value=${draft.network} onChange=${(/** @type {string} */ value) => set({ network: value })} options=${["model", "offline"].map((value) => ({ value, label: t(`network.${value}`), icon: value === "offline" ? "offline" : "network" }))} />
      <div class="field-note">${faults.network?.error ? html`<span class="error-text" role="alert">${faults.network.error}</span>` : t(`network.${draft.network}_long`)}</div></div>
    <${Field} id="cpu" label=${t("new.cpu")} error=${faults.cpu?.error} warning=${faults.cpu?.warning}><${Select} id="cpu" value=${draft.cpu_count} options=${stepsWithin(CPU_STEPS, limits.cpu_range, draft.cpu_count).map((value) => ({ value, label: String(value) }))} onChange=${(/** @type {number} */ value) => set({ cpu_count: value })} aria-describedby="cpu-note" /></${Field}>
    <${Switch} id="cache" isOn=${draft.cache} label=${t("new.cache")} hint=${t("new.cache_hint")} onChange=${(/** @type {boolean} */ value) => set({ cache: value })} />
  </div>`;
}
