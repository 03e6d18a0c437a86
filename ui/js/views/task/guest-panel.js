// @ts-check
/**
 * What programs inside the machine want to show or ask, in a frame that is plainly not pui's own.
 *
 * In: the dialogs, notices, widgets of an AgentPanel. Out: elements within the conversation, answers.
 * Never: a modal dialog, an automatic yes, an answer to anything but pi.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, IconButton } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { now, orToast } from "../../store.js";
import { t } from "../../strings.js";
import { duration } from "../../format.js";

const EDITOR_ROWS = 7;

/** @param {{session: import("./session.js").TaskSession}} props */
export function GuestPanel({ session }) {
  const agent = session.agent.value;
  const dialogs = agent?.dialogs ?? [];
  return html`<div class="guest-panel">
    <${Notices} session=${session} />
    ${dialogs.map((/** @type {any} */ dialog, /** @type {number} */ index) =>
      html`<${GuestDialog} key=${dialog.id} dialog=${dialog} session=${session} place=${index + 1} count=${dialogs.length} />`)}
  </div>`;
}

/** @param {{children: any, title: string, aside?: any}} props */
const GuestFrame = ({ children, title, aside }) =>
  html`<section class="guest-frame" aria-label=${title}>
    <header><span class="guest-mark"><${Icon} name="box" size=${13} />${t("task.guest.from_inside")}</span>
      <span class="guest-head">${title}</span>${aside}</header>
    ${children}
  </section>`;

/** @param {{dialog: any, session: import("./session.js").TaskSession, place: number, count: number}} props */
function GuestDialog({ dialog, session, place, count }) {
  const [isSent, setSent] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const answer = async (/** @type {Record<string, any>} */ given) => {
    setSent(true);
    const done = await orToast(call("agent.answer", { task_id: session.taskId, dialog_id: dialog.id, ...given }));
    if (done === undefined) setSent(false);
    else session.answers.delete(dialog.id);
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    answer({});
  };
  const Form = FORMS[dialog.method] ?? FORMS.input;
  const aside = html`${count > 1 && html`<span class="hint">${t("task.guest.place", { place, count })}</span>`}<${Countdown} dialog=${dialog} />`;
  return html`<${GuestFrame} title=${t("task.guest.asks")} aside=${aside}>
    <div class="guest-dialog" ref=${root} onKeyDown=${keydown}>
      <h3 id="ask-${dialog.id}">${dialog.title || t("task.guest.no_title")}</h3>
      ${dialog.message && html`<p class="guest-message">${dialog.message}</p>`}
      <${Form} dialog=${dialog} session=${session} isSent=${isSent} answer=${answer} />
      <p class="hint">${t("task.guest.meaning")}</p>
    </div>
  </${GuestFrame}>`;
}

/** @param {{dialog: any}} props */
function Countdown({ dialog }) {
  if (!dialog.timeout_ms) return null;
  const left = dialog.opened_ms + dialog.timeout_ms - Math.max(now.value, dialog.opened_ms);
  return html`<span class="guest-countdown" title=${t("task.guest.countdown_meaning")}><${Icon} name="clock" size=${12} />${t("task.guest.countdown", { time: duration(Math.max(0, left)) })}</span>`;
}

/** @typedef {{dialog: any, session: import("./session.js").TaskSession, isSent: boolean, answer: (given: Record<string, any>) => void}} FormProps */

/** @param {FormProps} props */
function SelectForm({ dialog, isSent, answer }) {
  return html`<ul class="guest-options" aria-labelledby="ask-${dialog.id}">
    ${dialog.options.map((/** @type {string} */ option, /** @type {number} */ index) =>
      html`<li key=${index}><button type="button" disabled=${isSent} onClick=${() => answer({ value: option })}><kbd aria-hidden="true">${index + 1}</kbd><span>${option}</span></button></li>`)}
  </ul><div class="guest-buttons"><${Cancel} isSent=${isSent} answer=${answer} /></div>`;
}

/** @param {FormProps} props */
const ConfirmForm = ({ isSent, answer }) =>
  html`<div class="guest-buttons">
    <${Button} disabled=${isSent} onClick=${() => answer({ confirmed: true })}>${t("task.guest.yes")}</${Button}>
    <${Button} disabled=${isSent} onClick=${() => answer({ confirmed: false })}>${t("task.guest.no")}</${Button}>
    <${Cancel} isSent=${isSent} answer=${answer} /></div>`;

/** @param {FormProps} props */
function TextForm({ dialog, session, isSent, answer }) {
  const isEditor = dialog.method === "editor";
  const field = useRef(/** @type {HTMLInputElement | HTMLTextAreaElement | null} */ (null));
  useEffect(() => {
    // what was written survives a look at another tab or task
    if (field.current) field.current.value = session.answers.get(dialog.id) ?? (isEditor ? dialog.initial_text : "");
  }, []);
  const keep = (/** @type {any} */ event) => session.answers.set(dialog.id, event.currentTarget.value);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    answer({ value: field.current?.value ?? "" });
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const rest = { ref: field, onInput: keep, disabled: isSent, "aria-labelledby": `ask-${dialog.id}` };
  return html`<form onSubmit=${submit}>
    ${isEditor ? html`<textarea ...${rest} rows=${EDITOR_ROWS} class="mono" onKeyDown=${keydown} spellcheck="false"></textarea>`
      : html`<input type="text" ...${rest} placeholder=${dialog.initial_text || ""} />`}
    <div class="guest-buttons"><${Button} type="submit" disabled=${isSent}>${t("task.guest.send")}</${Button}><${Cancel} isSent=${isSent} answer=${answer} /></div>
  </form>`;
}

/** @param {{isSent: boolean, answer: (given: Record<string, any>) => void}} props */
const Cancel = ({ isSent, answer }) => html`<${Button} kind="quiet" disabled=${isSent} onClick=${() => answer({})}>${t("task.guest.cancel")}</${Button}>`;

/** @type {Record<string, any>} */
const FORMS = { select: SelectForm, confirm: ConfirmForm, input: TextForm, editor: TextForm };

// notices, widgets, words for what a window cannot do

/** @param {{session: import("./session.js").TaskSession}} props */
function Notices({ session }) {
  const unsupported = session.agent.value?.unsupported ?? [];
  const seen = session.keep.get("unsupported") ?? 0;
  const [, redraw] = useState(0);
  const fresh = unsupported.slice(seen);
  const dropUnsupported = () => {
    session.keep.set("unsupported", unsupported.length);
    redraw((count) => count + 1);
  };
  return html`<div role="status" aria-live="polite">
    ${session.notices.value.map((notice) => html`<div class="guest-notice" key=${notice.id}><${Icon} name="box" size=${13} />
      <b>${t("task.guest.says")}</b><span>${notice.text}</span>
      <${IconButton} icon="cross" label=${t("task.guest.dismiss")} onClick=${() => session.dropNotice(notice.id)} /></div>`)}
    ${fresh.length > 0 && html`<div class="guest-notice"><${Icon} name="info" size=${13} /><b>${t("task.guest.cannot")}</b>
      <span>${fresh.slice(-3).join(" · ")}</span><${IconButton} icon="cross" label=${t("task.guest.dismiss")} onClick=${dropUnsupported} /></div>`}
  </div>`;
}

/** Lines that a program keeps on show, above or below the editor. @param {{session: import("./session.js").TaskSession, placement: "above"|"below"}} props */
export function GuestWidgets({ session, placement }) {
  const widgets = (session.agent.value?.widgets ?? []).filter((/** @type {any} */ one) => isBelow(one) === (placement === "below"));
  if (!widgets.length) return null;
  return html`<div class="guest-widgets">${widgets.map((/** @type {any} */ widget) =>
    html`<div class="guest-widget" key=${widget.key} role="group" aria-label=${t("task.guest.widget", { name: widget.key })}>
      <span class="guest-tag" title=${t("task.guest.from_inside")}><${Icon} name="box" size=${11} />${widget.key}</span><pre>${widget.lines.join("\n")}</pre></div>`)}</div>`;
}

/** @param {any} widget */
const isBelow = (widget) => /below/i.test(widget.placement || "");
