// @ts-check
/**
 * Another model or thinking level in the middle of a task.
 *
 * In: the AgentPanel, agent.models. Out: agent.set_model, agent.set_thinking. Never: a model that pi did not offer.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Select, Skeleton } from "../../components/controls.js";
import { Dialog } from "../../components/dialog.js";
import { Icon } from "../../components/icons.js";
import { orToast, toast } from "../../store.js";
import { t } from "../../strings.js";
import { matching } from "./composer-text.js";

const SHOWN = 200;

/** @typedef {import("./session.js").TaskSession} TaskSession */

/** @param {{session: TaskSession, isReady: boolean}} props */
export function ModelButton({ session, isReady }) {
  const [isOpen, setOpen] = useState(false);
  const model = session.agent.value?.model;
  const row = session.row.value;
  const name = model?.name || model?.id || row?.model?.label || t("task.model.none");
  return html`<button type="button" class="bar-button" disabled=${!isReady} onClick=${() => setOpen(true)} aria-haspopup="dialog"
      title=${t("task.model.change")}><${Icon} name="spark" size=${13} /><span class="ellipsis">${name}</span><${Icon} name="down" size=${11} /></button>
    ${isOpen && html`<${ModelDialog} session=${session} onClose=${() => setOpen(false)} />`}`;
}

/** @param {{session: TaskSession, onClose: () => void}} props */
function ModelDialog({ session, onClose }) {
  const [models, setModels] = useState(/** @type {any[]|null} */ (null));
  const [query, setQuery] = useState("");
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    orToast(call("agent.models", { task_id: session.taskId })).then((reply) => (reply ? setModels(reply.models) : onClose()));
  }, []);
  const found = (models ?? []).map((one) => ({ ...one, name: one.name || one.id, description: `${one.provider} ${one.id}` }));
  const shown = matching(found, query, SHOWN);
  const choose = async (/** @type {any} */ model) => {
    onClose();
    await setModel(session, model);
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && shown[0]) choose(shown[0]);
    if (event.key === "ArrowDown") /** @type {HTMLElement|null} */ (list.current?.querySelector("button"))?.focus();
  };
  const current = session.agent.value?.model;
  return html`<${Dialog} title=${t("task.model.title")} onClose=${onClose}>
    <input type="search" autofocus aria-label=${t("task.model.search")} placeholder=${t("task.model.search")} value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.currentTarget.value)} onKeyDown=${keydown} />
    ${models === null ? html`<${Skeleton} lines=${4} />` : html`<ul class="model-list" ref=${list}>
      ${shown.map((model) => html`<li key="${model.provider}/${model.id}"><button type="button" aria-current=${String(isSame(model, current))} onClick=${() => choose(model)}>
        <span class="ellipsis">${model.name}</span><small>${model.provider}</small>${isSame(model, current) && html`<${Icon} name="check" size=${13} />`}</button></li>`)}
      ${!shown.length && html`<li class="hint">${t("task.model.nothing")}</li>`}</ul>`}
    <p class="hint">${t("task.model.hint")}</p>
  </${Dialog}>`;
}

/** @param {any} a @param {any} b */
const isSame = (a, b) => !!b && a.provider === b.provider && a.id === b.id;

/** @param {TaskSession} session @param {any} model @returns {Promise<boolean>} */
async function setModel(session, model) {
  return (await orToast(call("agent.set_model", { task_id: session.taskId, provider: model.provider, model: model.id }))) !== undefined;
}

/** @param {{session: TaskSession, isReady: boolean}} props */
export function ThinkingSelect({ session, isReady }) {
  const agent = session.agent.value;
  const levels = agent?.thinking_levels ?? [];
  if (!levels.length) return null;
  const options = levels.map((/** @type {string} */ level) => ({ value: level, label: level }));
  return html`<label class="bar-select" title=${t("task.thinking.change")}><span class="visually-hidden">${t("task.thinking.change")}</span>
    <${Select} id="task-thinking" value=${agent.thinking_level} options=${options} disabled=${!isReady} onChange=${(/** @type {string} */ level) => setThinking(session, level)} /></label>`;
}

/** @param {TaskSession} session @param {string} level */
const setThinking = (session, level) => orToast(call("agent.set_thinking", { task_id: session.taskId, level }));

/** `/model sonnet`: the first model that fits. @param {TaskSession} session @param {string} query */
export async function chooseModel(session, query) {
  const reply = await orToast(call("agent.models", { task_id: session.taskId }));
  if (!reply) return false;
  const all = reply.models.map((/** @type {any} */ one) => ({ ...one, name: one.name || one.id, description: `${one.provider} ${one.id} ${one.provider}/${one.id}` }));
  const found = query ? matching(all, query, 1)[0] : undefined;
  if (!found) toast("warning", t("task.model.no_match", { query }));
  return found ? setModel(session, found) : false;
}

/** `/thinking high`. @param {TaskSession} session @param {string} level */
export async function chooseThinking(session, level) {
  const levels = session.agent.value?.thinking_levels ?? [];
  if (!levels.includes(level)) {
    toast("warning", t("task.thinking.no_match", { level, levels: levels.join(", ") }));
    return false;
  }
  return (await setThinking(session, level)) !== undefined;
}
