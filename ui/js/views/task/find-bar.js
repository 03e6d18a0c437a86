// @ts-check
/**
 * The bar that finds in the conversation: Ctrl+F opens it, Enter and F3 go on, Shift goes back, Escape closes.
 *
 * In: keys, a Finder. Out: the bar, words for screen readers. Never: a key taken from another field than its own.
 */
import { html, useEffect, useRef } from "/vendor/preact.js";
import { IconButton } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { useShortcuts } from "../../keys.js";
import { t } from "../../strings.js";

/** @typedef {import("./finder.js").Finder} Finder */

/** @param {{finder: Finder, back: () => void}} props `back` puts the focus where one reads */
export function FindBar({ finder, back }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const open = () => {
    finder.open();
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.select();
    });
  };
  const close = () => {
    finder.close();
    back();
  };
  useShortcuts([{ keys: "mod+f", label: t("task.find.label"), group: "task", run: open }]);
  useFunctionKey(finder);
  useEffect(() => () => finder.close(), [finder]);
  if (!finder.isOpen.value) return null;
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") close();
    else if (event.target === input.current) finder.go(event.shiftKey ? -1 : 1);
  };
  const type = (/** @type {any} */ event) => finder.type(event.currentTarget.value);
  const hasHits = finder.hits.value.length > 0;
  return html`<div class="find-bar" role="search" aria-label=${t("task.find.label")} onKeyDown=${keydown}>
    <${Icon} name="search" size=${13} />
    <input ref=${input} type="text" spellcheck="false" autocomplete="off" maxlength="200" aria-label=${t("task.find.query")} placeholder=${t("task.find.query")} value=${finder.query.value} onInput=${type} />
    <span class="find-count" role="status">${words(finder)}</span>
    <${IconButton} icon="up" class="small" label="${t("task.find.previous")} (${t("key.shift")}+F3)" aria-disabled=${String(!hasHits)} onClick=${() => finder.go(-1)} />
    <${IconButton} icon="down" class="small" label="${t("task.find.next")} (F3)" aria-disabled=${String(!hasHits)} onClick=${() => finder.go(1)} />
    <${IconButton} icon="cross" class="small" label="${t("task.find.close")} (Esc)" onClick=${close} />
  </div>`;
}

/** F3 goes on wherever the focus is; the bar has to be open. @param {Finder} finder */
function useFunctionKey(finder) {
  useEffect(() => {
    const keydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "F3" || event.defaultPrevented || !finder.isOpen.value) return;
      event.preventDefault();
      finder.go(event.shiftKey ? -1 : 1);
    };
    window.addEventListener("keydown", keydown);
    return () => window.removeEventListener("keydown", keydown);
  }, [finder]);
}

/** Where one is, in words. @param {Finder} finder */
function words(finder) {
  const { length } = finder.hits.value;
  if (!finder.query.value) return "";
  if (finder.phase.value === "searching" && !length) return t("task.find.searching");
  const rest = finder.isWhole.value ? "" : ` ${t("task.find.newest")}`;
  if (!length) return t("task.find.nothing") + rest;
  const entry = t("task.find.entry", { at: finder.index.value + 1, n: length });
  const { value: places } = finder.places;
  return (places > 1 ? `${entry} · ${t("task.find.place", { at: finder.place.value + 1, n: places })}` : entry) + rest;
}
