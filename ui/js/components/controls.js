// @ts-check
/**
 * The small parts all views are made of. In: props. Out: elements with classes of css/base.css.
 * Never: state of the app, words (labels come in translated).
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { keyCaps } from "../keys.js";
import { now } from "../store.js";
import { t } from "../strings.js";
import { ago, duration, moment } from "../format.js";
import { Icon } from "./icons.js";

/**
 * @param {{children?: any, onClick?: (event: any) => void, kind?: "plain"|"primary"|"quiet"|"danger", icon?: string,
 *   disabled?: boolean, title?: string, type?: string, isBusy?: boolean, size?: "small"|"normal", class?: string}} props
 */
export function Button(props) {
  const { children, kind = "plain", icon, isBusy, size = "normal", type = "button", ...rest } = props;
  return html`<button ...${rest} type=${type} disabled=${props.disabled || isBusy} aria-busy=${isBusy ? "true" : undefined}
    class="button ${kind} ${size} ${props.class || ""}">
    ${isBusy ? html`<${Spinner} />` : icon && html`<${Icon} name=${icon} size=${14} />`}<span>${children}</span>
  </button>`;
}

/** @param {{icon: string, label: string, onClick?: (event: any) => void, keys?: string, [rest: string]: any}} props */
export function IconButton({ icon, label, keys, ...rest }) {
  const title = keys ? `${label} (${keyCaps(keys).join(" ")})` : label;
  return html`<button type="button" ...${rest} class="icon-button ${rest.class || ""}" aria-label=${label} title=${title}>
    <${Icon} name=${icon} />
  </button>`;
}

/** @param {{keys: string}} props */
export const Keys = ({ keys }) =>
  html`<span class="keys" aria-hidden="true">${keyCaps(keys).map((cap) => html`<kbd>${cap}</kbd>`)}</span>`;

export const Spinner = () => html`<span class="spinner" aria-hidden="true"></span>`;

/**
 * A label, a control, and what is wrong or worth knowing, tied together for screen readers.
 * @param {{id: string, label: string, hint?: any, error?: string, warning?: string, children: any, aside?: any}} props
 */
export function Field({ id, label, hint, error, warning, children, aside }) {
  return html`<div class="field ${error ? "has-error" : ""}">
    <div class="field-head"><label for=${id}>${label}</label>${aside && html`<span class="field-aside">${aside}</span>`}</div>
    ${children}
    <div id="${id}-note" class="field-note" role=${error ? "alert" : undefined}>
      ${error ? html`<span class="error-text"><${Icon} name="warning" size=${13} /> ${error}</span>`
        : warning ? html`<span class="warning-text"><${Icon} name="warning" size=${13} /> ${warning}</span>` : hint}
    </div>
  </div>`;
}

/** @param {{id: string, value: any, options: {value: any, label: string}[], onChange: (value: any) => void, [rest: string]: any}} props */
export function Select({ id, value, options, onChange, ...rest }) {
  const change = (/** @type {any} */ event) => onChange(options[event.currentTarget.selectedIndex].value);
  return html`<span class="select"><select id=${id} ...${rest} onChange=${change}>
    ${options.map((one) => html`<option key=${String(one.value)} selected=${one.value === value}>${one.label}</option>`)}
  </select><${Icon} name="down" size=${12} /></span>`;
}

/** @param {{id: string, isOn: boolean, label: string, hint?: any, onChange: (isOn: boolean) => void, disabled?: boolean}} props */
export function Switch({ id, isOn, label, hint, onChange, disabled }) {
  return html`<div class="switch-row">
    <button type="button" role="switch" id=${id} aria-checked=${String(!!isOn)} aria-labelledby="${id}-label"
      aria-describedby=${hint ? `${id}-hint` : undefined} class="switch" disabled=${disabled} onClick=${() => onChange(!isOn)}><span></span></button>
    <span class="switch-text"><label id="${id}-label" for=${id}>${label}</label>${hint && html`<span id="${id}-hint" class="hint">${hint}</span>`}</span>
  </div>`;
}

/**
 * One of a few, all visible. Arrow keys move.
 * @param {{label: string, value: any, options: {value: any, label: string, icon?: string, title?: string}[], onChange: (value: any) => void, size?: string}} props
 */
export function Segmented({ label, value, options, onChange, size = "normal" }) {
  const group = useRef(/** @type {HTMLElement | null} */ (null));
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = options.findIndex((one) => one.value === value);
    const next = (at + step + options.length) % options.length;
    onChange(options[next].value);
    /** @type {HTMLElement} */ (group.current?.children[next])?.focus();
  };
  return html`<div class="segmented ${size}" role="radiogroup" aria-label=${label} ref=${group} onKeyDown=${move}>
    ${options.map((one) => html`<button type="button" key=${String(one.value)} role="radio" title=${one.title}
      aria-checked=${String(one.value === value)} tabindex=${one.value === value ? 0 : -1} onClick=${() => onChange(one.value)}>
      ${one.icon && html`<${Icon} name=${one.icon} size=${13} />`}${one.label}</button>`)}
  </div>`;
}

/** A bar; without a total it runs. @param {{label: string, done?: number, total?: number | null}} props */
export function Progress({ label, done = 0, total }) {
  const share = total ? Math.min(1, done / total) : null;
  return html`<div class="progress ${share === null ? "unknown" : ""}" role="progressbar" aria-label=${label} aria-valuemin="0"
    aria-valuemax="100" aria-valuenow=${share === null ? undefined : Math.round(share * 100)}>
    <span style=${share === null ? undefined : { transform: `scaleX(${share})` }}></span>
  </div>`;
}

/** @param {{lines?: number}} props */
export const Skeleton = ({ lines = 3 }) =>
  html`<div class="skeleton" role="status" aria-label=${t("frame.loading")}>
    ${Array.from({ length: lines }, (_, index) => html`<span key=${index}></span>`)}
  </div>`;

/** @param {{icon: string, title: string, children?: any, actions?: any}} props */
export const EmptyState = ({ icon, title, children, actions }) =>
  html`<div class="empty"><span class="empty-icon"><${Icon} name=${icon} size=${28} /></span>
    <h2>${title}</h2><div class="empty-text">${children}</div>${actions && html`<div class="empty-actions">${actions}</div>`}</div>`;

/**
 * A boxed word of warning, error or advice.
 * @param {{level: "info"|"warning"|"error"|"good", title?: any, children?: any, actions?: any, role?: string}} props
 */
export function Notice({ level, title, children, actions, role }) {
  const icon = { info: "info", warning: "warning", error: "blocked", good: "check" }[level];
  return html`<div class="notice ${level}" role=${role}><${Icon} name=${icon} />
    <div class="notice-body">${title && html`<strong>${title}</strong>`}${children && html`<div>${children}</div>`}</div>
    ${actions && html`<div class="notice-actions">${actions}</div>`}</div>`;
}

/** Time since `since`, ticking by the page's one clock; stands still at `until`. @param {{since: number, until?: number | null}} props */
export const Elapsed = ({ since, until }) =>
  html`<time class="elapsed" title=${moment(since)}>${duration((until ?? Math.max(now.value, since)) - since)}</time>`;

/** @param {{at: number}} props */
export const Ago = ({ at }) => html`<time title=${moment(at)}>${ago(at, Math.max(now.value, at))}</time>`;

/** @param {{text: string, label?: string}} props */
export function CopyButton({ text, label }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = () => copyText(text).then(setDone);
  return html`<${IconButton} icon=${isDone ? "check" : "copy"} label=${isDone ? t("copy.done") : label || t("copy.do")} onClick=${copy} class="copy" />`;
}

/** The clipboard API where it is allowed, else the old way. @param {string} text @returns {Promise<boolean>} */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

/**
 * A text that can be edited in place: double click, F2 or the pencil; Enter keeps, Escape gives up.
 * @param {{value: string, label: string, onSave: (value: string) => void, tag?: string, class?: string}} props
 */
export function EditableText({ value, label, onSave, tag = "span", class: extra = "" }) {
  const [isEditing, setEditing] = useState(false);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (isEditing) input.current?.select();
  }, [isEditing]);
  const finish = (/** @type {boolean} */ isKept) => {
    const text = input.current?.value.trim();
    setEditing(false);
    if (isKept && text && text !== value) onSave(text);
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    finish(event.key === "Enter");
  };
  if (isEditing) {
    return html`<input ref=${input} class="editable ${extra}" aria-label=${label} maxlength="200" defaultValue=${value}
      onKeyDown=${keydown} onBlur=${() => finish(true)} autofocus />`;
  }
  return html`<${tag} class="editable-text ${extra}" onDblClick=${() => setEditing(true)}><span class="ellipsis" title=${value}>${value}</span>
    <${IconButton} icon="pencil" label=${label} onClick=${() => setEditing(true)} class="reveal" /></${tag}>`;
}
