// @ts-check
/**
 * Messages that wait for pi: steering ones (next) and follow-ups (after the run); moved, edited, taken out.
 *
 * In: the panel's queue. Out: agent.queue with the whole new queue. Never: a change that pi was not told.
 */
import { html } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { IconButton } from "../../components/controls.js";
import { orToast } from "../../store.js";
import { t } from "../../strings.js";
import { changedQueue } from "./composer-text.js";

/** @typedef {"steering"|"follow_up"} QueueKind */

/** @param {{session: import("./session.js").TaskSession, edit: (text: string) => void}} props */
export function MessageQueue({ session, edit }) {
  const queue = session.agent.value?.queue;
  const items = queue ? [...listOf(queue, "steering"), ...listOf(queue, "follow_up")] : [];
  if (!items.length) return null;
  const change = async (/** @type {any} */ item, /** @type {any} */ how) => {
    const next = changedQueue(queue, item.kind, item.index, how);
    return orToast(call("agent.queue", { task_id: session.taskId, steering: next.steering, follow_up: next.follow_up }));
  };
  const takeBack = async (/** @type {any} */ item) => {
    if ((await change(item, { remove: true })) !== undefined) edit(item.text);
  };
  return html`<ol class="queue" aria-label=${t("task.queue.label")}>
    ${items.map((item) => html`<li key="${item.kind}-${item.index}-${item.text}">
      <span class="queue-kind ${item.kind}">${t(`task.queue.${item.kind}`)}</span><span class="queue-text ellipsis" title=${item.text}>${item.text}</span>
      ${item.index > 0 && html`<${IconButton} icon="down" class="small up" label=${t("task.queue.up")} onClick=${() => change(item, { move: -1 })} />`}
      ${item.index < item.count - 1 && html`<${IconButton} icon="down" class="small" label=${t("task.queue.down")} onClick=${() => change(item, { move: 1 })} />`}
      <${IconButton} icon="pencil" class="small" label=${t("task.queue.edit")} onClick=${() => takeBack(item)} />
      <${IconButton} icon="cross" class="small" label=${t("task.queue.remove")} onClick=${() => change(item, { remove: true })} /></li>`)}
  </ol>`;
}

/** @param {{steering: string[], follow_up: string[]}} queue @param {QueueKind} kind */
const listOf = (queue, kind) => queue[kind].map((text, index) => ({ kind, text, index, count: queue[kind].length }));
