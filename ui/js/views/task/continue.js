// @ts-check
/**
 * The editor of a conversation that goes on in a fresh machine: of a task that is over, or of a branch.
 *
 * In: a draft and pictures. Out: task.continue and task.start of the new task. Never: a lost draft.
 */
import { html, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, Keys } from "../../components/controls.js";
import { addImages } from "../../images.js";
import { go } from "../../router.js";
import { orToast } from "../../store.js";
import { t } from "../../strings.js";
import { useAutosize, useFieldText } from "./composer.js";
import { Pictures, takePictures } from "./composer-parts.js";

/** @typedef {{taskId: string, draft: {value: string}, images: {value: any[]}}} Written */

/** @param {{session: import("./session.js").TaskSession}} props */
export const ContinueEditor = ({ session }) =>
  html`<${GoOnEditor} what=${session} label=${t("task.composer.label")} placeholder=${t("task.continue.here")} send=${t("action.continue")} meaning=${t("task.continue.meaning")} />`;

/**
 * @param {{what: Written, params?: {before_key?: number}, label: string, placeholder: string, send: string, meaning: string,
 *   onDone?: () => void}} props `params` go with task.continue
 */
export function GoOnEditor({ what, params = {}, label, placeholder, send, meaning, onDone = () => undefined }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [isSending, setSending] = useState(false);
  const draft = what.draft.value;
  useFieldText(field, draft);
  useAutosize(field, draft);
  const submit = async () => {
    if (isSending || !draft.trim()) return;
    setSending(true);
    const made = await orToast(goOn(what, params));
    setSending(false);
    if (!made) return;
    what.draft.value = "";
    what.images.value = [];
    onDone();
    go("task", made.task_id);
    await orToast(call("task.start", { task_id: made.task_id }));
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    submit();
  };
  const input = (/** @type {any} */ event) => {
    what.draft.value = event.currentTarget.value;
  };
  const paste = (/** @type {ClipboardEvent} */ event) => takePictures(what, event, event.clipboardData);
  return html`<div class="composer"><div class="composer-box">
    <${Pictures} session=${what} />
    <textarea ref=${field} rows="1" spellcheck="true" maxlength="100000" aria-label=${label} placeholder=${placeholder}
      onInput=${input} onKeyDown=${keydown} onPaste=${paste}></textarea>
    <div class="composer-bar"><span class="grow"></span>
      <${Button} size="small" kind="primary" icon="send" isBusy=${isSending} disabled=${!draft.trim()} onClick=${submit} title=${meaning}>${send} <${Keys} keys="Enter" /></${Button}>
    </div></div></div>`;
}

/** @param {Written} what @param {{before_key?: number}} params */
async function goOn(what, params) {
  const images = await addImages(what.images.value);
  return call("task.continue", { task_id: what.taskId, message: what.draft.value.trim(), images, ...params });
}
