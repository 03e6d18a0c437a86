// @ts-check
/**
 * The editor: prompt when pi is idle, steer while it works, follow-up with Alt; the queue, commands, files, pictures.
 *
 * In: keys, pastes, the AgentPanel. Out: agent.* calls. Never: a message that the person did not send, a lost draft.
 */
import { html, useEffect, useLayoutEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { taskActions } from "../../actions.js";
import { Button, Keys } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { addImages } from "../../images.js";
import { findHidden } from "../../text/marks.js";
import { orToast, toast } from "../../store.js";
import { t } from "../../strings.js";
import { complete, completionAt, ownCommand, withQueue } from "./composer-text.js";
import { GuestSuggestion, HiddenCharacters, Pictures, takePictures } from "./composer-parts.js";
import { MessageQueue } from "./message-queue.js";
import { ModelButton, ThinkingSelect, chooseModel, chooseThinking } from "./model-picker.js";
import { Suggestions, useSuggestions } from "./suggestions.js";

const MAX_HEIGHT_SHARE = 0.4;

/** @typedef {import("./session.js").TaskSession} TaskSession */

/** @param {{session: TaskSession, onSent: () => void, abort: () => Promise<void>}} props */
export function Composer({ session, onSent, abort }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [caret, setCaret] = useState(0);
  const [isSending, setSending] = useState(false);
  const row = session.row.value;
  const agent = session.agent.value;
  const draft = session.draft.value;
  const isReady = row?.state === "running" && !!agent && !["starting", "exited"].includes(agent.state);
  const completion = completionAt(draft, caret);
  const suggestions = useSuggestions(session, completion, isReady);
  useFieldText(field, draft);
  useAutosize(field, draft);

  const write = (/** @type {string} */ text, /** @type {number} */ at) => {
    session.draft.value = text;
    setCaret(at);
    requestAnimationFrame(() => field.current?.setSelectionRange(at, at));
  };
  const choose = (/** @type {string} */ choice) => {
    if (!completion) return;
    const done = complete(draft, completion, choice);
    write(done.text, done.caret);
    field.current?.focus();
  };
  const send = async (/** @type {boolean} */ isFollowUp) => {
    if (!isReady || (!draft.trim() && !session.images.value.length)) return;
    setSending(true);
    const isDone = await sendMessage(session, isFollowUp);
    setSending(false);
    if (!isDone) return;
    onSent();
    field.current?.focus();
  };
  const stop = async () => {
    await abort();
    field.current?.focus();
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || (suggestions.isOpen && suggestionKey(event, suggestions, choose))) return;
    if (event.key === "Escape" && agent?.is_busy) {
      event.preventDefault();
      stop();
    } else if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      send(event.altKey);
    }
  };
  const input = (/** @type {any} */ event) => {
    session.draft.value = event.currentTarget.value;
    setCaret(event.currentTarget.selectionStart);
    suggestions.reopen();
  };
  const moved = (/** @type {any} */ event) => setCaret(event.currentTarget.selectionStart);
  const paste = (/** @type {ClipboardEvent} */ event) => takePictures(session, event, event.clipboardData);
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    takePictures(session, event, event.dataTransfer);
  };
  const marks = findHidden(draft, 200);

  return html`<div class="composer" onDrop=${drop} onDragOver=${(/** @type {Event} */ event) => event.preventDefault()}>
    <${MessageQueue} session=${session} edit=${(/** @type {string} */ text) => write(withQueue({ steering: [], follow_up: [text] }, draft), text.length)} />
    <${GuestSuggestion} session=${session} write=${write} />
    ${marks.length > 0 && html`<${HiddenCharacters} text=${draft} marks=${marks} write=${write} />`}
    ${suggestions.isOpen && html`<${Suggestions} found=${suggestions} choose=${choose} />`}
    <div class="composer-box ${marks.length ? "has-hidden" : ""}">
      <${Pictures} session=${session} />
      <textarea ref=${field} rows="1" spellcheck="true" maxlength="100000" aria-label=${t("task.composer.label")} placeholder=${placeholder(row, agent)}
        aria-autocomplete="list" aria-controls=${suggestions.isOpen ? "suggestions" : undefined}
        aria-activedescendant=${suggestions.isOpen ? `suggestion-${suggestions.at}` : undefined}
        onInput=${input} onKeyDown=${keydown} onKeyUp=${moved} onClick=${moved} onPaste=${paste}></textarea>
      <div class="composer-bar">
        <${ModelButton} session=${session} isReady=${isReady} /><${ThinkingSelect} session=${session} isReady=${isReady} />
        <span class="grow"></span>
        <${SendButtons} agent=${agent} isReady=${isReady} isSending=${isSending} hasText=${!!draft.trim() || session.images.value.length > 0} send=${send} stop=${stop} />
      </div>
    </div>
  </div>`;
}

/** @param {{agent: any, isReady: boolean, isSending: boolean, hasText: boolean, send: (isFollowUp: boolean) => void, stop: () => void}} props */
function SendButtons({ agent, isReady, isSending, hasText, send, stop }) {
  const isBusy = isReady && agent.is_busy;
  return html`
    ${isBusy && html`<${Button} size="small" kind="quiet" icon="stop" onClick=${stop} title=${t("task.composer.stop_meaning")}>${t("task.composer.stop")} <${Keys} keys="Escape" /></${Button}>`}
    ${isBusy && html`<${Button} size="small" kind="quiet" disabled=${!isReady || !hasText} onClick=${() => send(true)} title=${t("task.composer.follow_up_meaning")}>${t("task.composer.follow_up")} <${Keys} keys="alt+Enter" /></${Button}>`}
    <${Button} size="small" kind="primary" icon=${isBusy ? "bolt" : "send"} isBusy=${isSending} disabled=${!isReady || !hasText} onClick=${() => send(false)}
      title=${t(isBusy ? "task.composer.steer_meaning" : "task.composer.send_meaning")}>${t(isBusy ? "task.composer.steer" : "task.composer.send")} <${Keys} keys="Enter" /></${Button}>`;
}

/** @param {any} row @param {any} agent */
function placeholder(row, agent) {
  if (!row || row.state !== "running" || !agent || agent.state === "starting") return t("task.composer.not_yet");
  return t(agent.is_busy ? "task.composer.steer_here" : "task.composer.write_here");
}

/** The text of the signal into the field, only when it is not what the field has already (the caret would jump). @param {any} field @param {string} draft */
export function useFieldText(field, draft) {
  useLayoutEffect(() => {
    if (field.current && field.current.value !== draft) field.current.value = draft;
  }, [draft]);
  useEffect(() => {
    field.current?.focus({ preventScroll: true });
  }, []);
}

/** @param {any} field @param {string} draft */
export function useAutosize(field, draft) {
  useLayoutEffect(() => {
    const node = field.current;
    if (!node) return;
    node.style.height = "auto";
    const most = window.innerHeight * MAX_HEIGHT_SHARE;
    node.style.height = `${Math.min(node.scrollHeight, most)}px`;
    node.style.overflowY = node.scrollHeight > most ? "auto" : "hidden";
  }, [draft]);
}

/** @param {KeyboardEvent} event @param {any} suggestions @param {(choice: string) => void} choose @returns {boolean} it was one */
function suggestionKey(event, suggestions, choose) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) suggestions.move(step);
  else if (event.key === "Escape") suggestions.close();
  else if ((event.key === "Tab" || event.key === "Enter") && !event.altKey && !event.shiftKey) {
    const choice = suggestions.items[suggestions.at];
    // a command that is written out is sent by Enter, not completed again
    if (event.key === "Enter" && choice.isWritten) return false;
    choose(choice.name);
  } else return false;
  event.preventDefault();
  return true;
}

// sending

/**
 * The draft goes out: an own command is carried out here, everything else is for pi.
 * @param {TaskSession} session @param {boolean} isFollowUp
 * @returns {Promise<boolean>} it went
 */
async function sendMessage(session, isFollowUp) {
  const message = session.draft.value.trim();
  const own = ownCommand(message);
  if (own) return runOwn(session, own);
  const isBusy = !!session.agent.value?.is_busy;
  const how = isFollowUp && isBusy ? "follow_up" : isBusy ? "steer" : "prompt";
  const images = session.images.value;
  // what is typed while the call is under way belongs to the next message
  session.draft.value = "";
  session.images.value = [];
  const done = await orToast(addImages(images).then((added) => call("agent.send", { task_id: session.taskId, message, how, images: added })));
  if (done !== undefined) return true;
  session.draft.value = withQueue({ steering: [message], follow_up: [] }, session.draft.value);
  session.images.value = [...images, ...session.images.value];
  return false;
}

/** @param {TaskSession} session @param {{name: string, rest: string}} own */
async function runOwn(session, own) {
  const typed = session.draft.value;
  session.draft.value = "";
  const isDone = await OWN[own.name](session, own.rest);
  if (!isDone) session.draft.value = withQueue({ steering: [typed], follow_up: [] }, session.draft.value);
  return isDone;
}

/** @type {Record<string, (session: TaskSession, rest: string) => Promise<boolean>>} */
const OWN = {
  compact: async (session, instructions) => (await orToast(call("agent.compact", { task_id: session.taskId, instructions }))) !== undefined,
  model: chooseModel,
  thinking: chooseThinking,
  finish: async (session) => {
    const action = taskActions(session.row.value).find((one) => one.id === "finish");
    if (!action) toast("warning", t("task.composer.no_finish"));
    else await action.run();
    return !!action;
  },
};

/** In place of the editor when nothing can be said any more. @param {{row: any}} props */
export function OutcomeBar({ row }) {
  const { outcome } = row;
  const result = outcome?.result ?? (row.state === "stranded" ? "failed" : "completed");
  const level = result === "completed" ? "good" : result === "cancelled" ? "plain" : "bad";
  const again = taskActions(row).find((one) => one.id === "again");
  return html`<div class="outcome ${level}" role="status">
    <${Icon} name=${{ good: "check", plain: "blocked", bad: "cross" }[level]} />
    <div class="outcome-text"><strong>${t(`task.outcome.${result}`)}</strong>
      ${outcome?.message && html`<p>${outcome.message}</p>`}${outcome?.hint && html`<p class="hint">${outcome.hint}</p>`}
      ${outcome?.code && html`<code>${outcome.code}</code>`}</div>
    ${again && html`<${Button} icon="again" onClick=${again.run}>${again.label}</${Button}>`}
  </div>`;
}

