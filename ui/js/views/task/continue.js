// @ts-check
/**
 * The editor of a task that is over: a message continues it in a fresh machine.
 *
 * In: the session's draft and pictures. Out: task.continue and task.start of the new task. Never: a lost draft.
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

/** @param {{session: import("./session.js").TaskSession}} props */
export function ContinueEditor({ session }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [isSending, setSending] = useState(false);
  const draft = session.draft.value;
  useAutosize(field, draft);
  useFieldText(field, draft);
  const send = async () => {
    if (isSending || !draft.trim()) return;
    setSending(true);
    const made = await orToast(goOn(session));
    setSending(false);
    if (!made) return;
    session.draft.value = "";
    session.images.value = [];
    go("task", made.task_id);
    await orToast(call("task.start", { task_id: made.task_id }));
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    send();
  };
  const input = (/** @type {any} */ event) => {
    session.draft.value = event.currentTarget.value;
  };
  const paste = (/** @type {ClipboardEvent} */ event) => takePictures(session, event, event.clipboardData);
  return html`<div class="composer"><div class="composer-box">
    <${Pictures} session=${session} />
    <textarea ref=${field} rows="1" spellcheck="true" maxlength="100000" aria-label=${t("task.composer.label")} placeholder=${t("task.continue.here")}
      onInput=${input} onKeyDown=${keydown} onPaste=${paste}></textarea>
    <div class="composer-bar"><span class="grow"></span>
      <${Button} size="small" kind="primary" icon="send" isBusy=${isSending} disabled=${!draft.trim()} onClick=${send} title=${t("task.continue.meaning")}>${t("action.continue")} <${Keys} keys="Enter" /></${Button}>
    </div></div></div>`;
}

/** @param {import("./session.js").TaskSession} session */
async function goOn(session) {
  const images = await addImages(session.images.value);
  return call("task.continue", { task_id: session.taskId, message: session.draft.value.trim(), images });
}
