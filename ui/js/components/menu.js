// @ts-check
/**
 * A button that opens a short list of actions. Arrow keys, Home, End, letters and Escape work.
 * In: items. Out: the chosen one's run(). Never: a menu inside a menu.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { IconButton } from "./controls.js";
import { Icon } from "./icons.js";

/** @typedef {{label: string, icon?: string, run: () => void, isDanger?: boolean, disabled?: boolean, title?: string}} MenuItem `title` says why it is disabled */

/** @param {{label: string, items: (MenuItem | null | false | undefined)[], icon?: string}} props */
export function MenuButton({ label, items, icon = "more" }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const list = /** @type {MenuItem[]} */ (items.filter(Boolean));
  const why = list.find((item) => item.disabled && item.title)?.title;
  const buttons = () => /** @type {HTMLElement[]} */ ([...(root.current?.querySelectorAll("[role=menuitem]:not(:disabled)") || [])]);
  useEffect(() => {
    if (!isOpen) return undefined;
    buttons()[0]?.focus();
    const away = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    window.addEventListener("pointerdown", away);
    return () => window.removeEventListener("pointerdown", away);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    /** @type {HTMLElement | null} */ (root.current?.querySelector(".icon-button"))?.focus();
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (!isOpen) return;
    const all = buttons();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") return close();
    if (to !== undefined) {
      event.preventDefault();
      all[to % all.length]?.focus();
    }
  };
  const choose = (/** @type {MenuItem} */ item) => {
    close();
    item.run();
  };
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    setOpen(!isOpen);
  };
  return html`<span class="menu" ref=${root} onKeyDown=${keydown}>
    <${IconButton} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${String(isOpen)} onClick=${toggle} />
    ${isOpen && html`<div class="menu-list" role="menu" aria-label=${label}>
      ${list.map((item) => html`<button type="button" role="menuitem" key=${item.label} disabled=${item.disabled} title=${item.title}
        class=${item.isDanger ? "danger" : ""} onClick=${() => choose(item)}>
        <span class="menu-icon">${item.icon && html`<${Icon} name=${item.icon} size=${14} />`}</span>${item.label}</button>`)}
      ${why && html`<p class="menu-why" role="note">${why}</p>`}
    </div>`}
  </span>`;
}
