// @ts-check
/**
 * Dialogs of the page: the browser's own modal element, which keeps the focus inside and gives it back.
 *
 * In: what to ask. Out: the answer. Never: a grant (folder, network, key); those are asked natively by the host.
 */
import { html, signal, useLayoutEffect, useRef } from "/vendor/preact.js";
import { t } from "../strings.js";
import { Button, IconButton } from "./controls.js";

/** @param {{title: string, onClose: () => void, children: any, actions?: any, class?: string, isBare?: boolean}} props */
export function Dialog({ title, onClose, children, actions, class: extra = "", isBare }) {
  const node = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const own = node.current;
    own?.showModal();
    return () => {
      own?.close(); // while it is open everything else is inert and takes no focus
      before?.focus?.();
    };
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  const click = (/** @type {MouseEvent} */ event) => event.target === node.current && onClose();
  return html`<dialog ref=${node} class="dialog ${extra}" aria-label=${title} onCancel=${cancel} onMouseDown=${click}>
    <div class="dialog-body">
      ${!isBare && html`<header><h2>${title}</h2><${IconButton} icon="cross" label=${t("dialog.close")} onClick=${onClose} /></header>`}
      ${children}
      ${actions && html`<footer>${actions}</footer>`}
    </div>
  </dialog>`;
}

/** @typedef {{title: string, lines: string[], yes: string, isDanger?: boolean, resolve: (isYes: boolean) => void}} Question */

const question = signal(/** @type {Question | null} */ (null));

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, lines: string[], yes: string, isDanger?: boolean}} what
 * @returns {Promise<boolean>}
 */
export function confirm(what) {
  question.value?.resolve(false);
  return new Promise((resolve) => {
    question.value = { ...what, resolve };
  });
}

/** Shows what confirm() asks; once in the frame. */
export function Questions() {
  const asked = question.value;
  if (!asked) return null;
  const answer = (/** @type {boolean} */ isYes) => {
    question.value = null;
    asked.resolve(isYes);
  };
  return html`<${Dialog} title=${asked.title} onClose=${() => answer(false)} class="small"
    actions=${html`<${Button} onClick=${() => answer(false)}>${t("dialog.cancel")}</${Button}>
      <${Button} kind=${asked.isDanger ? "danger" : "primary"} onClick=${() => answer(true)}>${asked.yes}</${Button}>`}>
    ${asked.lines.map((line) => html`<p>${line}</p>`)}
  </${Dialog}>`;
}
