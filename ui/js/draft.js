// @ts-check
/**
 * The new task while it is being written: choices, where they come from, and what would be refused.
 *
 * In: settings, folders' last choices, the person. Out: the params of task.create, faults by field.
 * Never: a call; a refusal here is only earlier than the host's own (domain/preflight.py, domain/mount_policy.py).
 */
import { memory } from "./format.js";
import { folders, models, packs, settings, setup, tasks } from "./store.js";
import { IMAGES_LIMIT_BYTES, IMAGE_LIMIT } from "./images.js";
import { t } from "./strings.js";

export const THINKING_LEVELS = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];
const PROMPT_LIMIT_BYTES = 200 * 1024; // a call carries 256 KiB
const FOLDER_LIMIT = 8;
const OVERHEAD_MIB = 192;
const RESERVE_MIB = 512;

/**
 * @typedef {{prompt: string, images: import("./images.js").PromptImage[], folders: {id: string, read_only: boolean}[],
 *   network: string, model: {provider: string, model: string}, thinking: string, memory_mib: number, cpu_count: number,
 *   cache: boolean, chosen: Set<string>, from: string}} Draft `chosen`: fields that the person has set; `from`: a folder's name
 * @typedef {{error?: string, warning?: string, link?: string}} Fault
 */

const REMEMBERED = /** @type {const} */ (["network", "model", "thinking", "memory_mib", "cpu_count"]);

/** @returns {Draft} */
export function newDraft() {
  const own = settings.value;
  return {
    prompt: "", images: [], folders: [], network: own.network, model: own.model || models.value.default, thinking: own.thinking,
    memory_mib: own.memory_mib, cpu_count: own.cpu_count, cache: own.cache, chosen: new Set(), from: "",
  };
}

/** The demo: no key, no folder, no network. @returns {Draft} */
export function demoDraft() {
  const demo = models.value.providers.find((/** @type {any} */ one) => one.name === "demo");
  const model = demo ? { provider: demo.name, model: demo.default_model || demo.models[0] } : models.value.default;
  return { ...newDraft(), prompt: t("new.demo_prompt"), model, network: "offline", chosen: new Set(["model", "network"]) };
}

/** With one more folder; the first one brings its last choices along, but for what the person has set. @param {Draft} draft @param {any} folder @returns {Draft} */
export function withFolder(draft, folder) {
  if (draft.folders.some((one) => one.id === folder.id)) return draft;
  const readOnly = folder.last?.read_only ?? folder.read_only;
  const next = { ...draft, folders: [...draft.folders, { id: folder.id, read_only: readOnly }] };
  if (draft.folders.length || !folder.last) return next;
  const last = Object.fromEntries(REMEMBERED.filter((key) => folder.last[key] && !draft.chosen.has(key)).map((key) => [key, folder.last[key]]));
  return { ...next, ...last, from: Object.keys(last).length ? folder.name : "" };
}

/** @param {string} id */
export const folderOf = (id) => folders.value.find((/** @type {any} */ one) => one.id === id);
/** @param {string} name */
export const providerOf = (name) => models.value.providers.find((/** @type {any} */ one) => one.name === name);

/** Why a provider cannot be used yet; "" when it can. @param {any} provider */
export function providerFault(provider) {
  if (!provider) return t("new.no_model");
  if (provider.needs_key && !provider.key.is_set) return t("new.no_key", { provider: provider.label });
  return provider.name !== "demo" && !provider.address ? t("new.no_address", { provider: provider.label }) : "";
}

/**
 * What would be refused or deserves a warning, by field; "start" is about the whole.
 * @param {Draft} draft @returns {Record<string, Fault>}
 */
export function faultsOf(draft) {
  /** @type {Record<string, Fault>} */
  const faults = {};
  const provider = providerOf(draft.model?.provider);
  const modelFault = providerFault(provider);
  if (new TextEncoder().encode(draft.prompt).length > PROMPT_LIMIT_BYTES) faults.prompt = { error: t("new.prompt_long") };
  if (draft.images.length > IMAGE_LIMIT) faults.images = { error: t("new.images_many", { n: IMAGE_LIMIT }) };
  else if (draft.images.reduce((sum, one) => sum + one.sizeBytes, 0) > IMAGES_LIMIT_BYTES) faults.images = { error: t("new.images_large") };
  if (modelFault) faults.model = { error: modelFault, link: "models" };
  if (draft.network === "offline" && provider && provider.name !== "demo") faults.network = { error: t("new.offline_model", { provider: provider.label }) };
  if (draft.folders.length > FOLDER_LIMIT) faults.folders = { error: t("new.folders_many", { n: FOLDER_LIMIT }) };
  return { ...faults, ...machineFaults(draft) };
}

/** @param {Draft} draft */
function machineFaults(draft) {
  /** @type {Record<string, Fault>} */
  const faults = {};
  const { limits, computer } = setup.value;
  const [low, high] = limits.memory_range_mib;
  if (!(draft.memory_mib >= low && draft.memory_mib <= high)) faults.memory = { error: t("new.range", { low: memory(low), high: memory(high) }) };
  else if (computer) {
    const left = computer.memory_free_mib - draft.memory_mib - OVERHEAD_MIB;
    const words = { free: memory(computer.memory_free_mib) };
    if (left < 0) faults.memory = { error: t("new.memory_short", words) };
    else if (left < RESERVE_MIB) faults.memory = { warning: t("new.memory_tight", words) };
  }
  const [fewest, most] = limits.cpu_range;
  if (!(draft.cpu_count >= fewest && draft.cpu_count <= most)) faults.cpu = { error: t("new.range", { low: fewest, high: most }) };
  else if (computer && draft.cpu_count > computer.cpu_count) faults.cpu = { warning: t("new.cpu_many", { n: computer.cpu_count }) };
  return faults;
}

/** What is wrong with one chosen folder. @param {Draft} draft @param {{id: string, read_only: boolean}} choice @returns {Fault} */
export function folderFault(draft, choice) {
  const folder = folderOf(choice.id);
  if (!folder) return { error: t("new.folder_forgotten") };
  if (!folder.exists) return { error: t("new.folder_gone") };
  const inside = (/** @type {string} */ a, /** @type {string} */ b) => a === b || a.startsWith(`${b}/`) || a.startsWith(`${b}\\`);
  const overlaps = (/** @type {string} */ path) => inside(folder.path, path) || inside(path, folder.path);
  for (const row of tasks.value.values()) {
    if (!row.is_live && !row.runs_elsewhere) continue;
    const mount = row.folders.find((/** @type {any} */ one) => overlaps(one.path));
    if (mount && !mount.read_only) return { error: t("new.folder_busy", { title: row.title }) };
    if (mount && !choice.read_only) return { warning: t("new.folder_read", { title: row.title }) };
  }
  const isTwice = draft.folders.some((one) => one.id !== choice.id && overlaps(folderOf(one.id)?.path || "\0"));
  if (isTwice) return { warning: t("new.folder_overlap") };
  return folder.warnings.length ? { warning: folder.warnings.join(" ") } : {};
}

/** What stops every task now: [{title, text, to}]. @returns {{title: string, text: string, to: string}[]} */
export function blockers() {
  const found = setup.value;
  if (!packs.value.active) return [{ title: t("new.no_pack"), text: t("new.no_pack_text"), to: "setup" }];
  if (found.is_checking || found.is_ready) return [];
  return found.findings.filter((/** @type {any} */ one) => one.severity === "blocker")
    .map((/** @type {any} */ one) => ({ title: one.title, text: one.message, to: "setup" }));
}

/** @param {Draft} draft @param {{blob_id: string, mime: string}[]} images */
export const paramsOf = (draft, images) => ({
  prompt: draft.prompt, folders: draft.folders, network: draft.network, model: draft.model, thinking: draft.thinking,
  memory_mib: draft.memory_mib, cpu_count: draft.cpu_count, cache: draft.cache, images,
});
