// @ts-check
/**
 * The command palette (Ctrl+K) and the list of keys (?).
 * In: tasks, actions of the open task. Out: a place or an action. Never: an action that a button would ask about, unasked.
 */
import { html, useMemo, useState } from "/vendor/preact.js";
import { Dialog } from "./components/dialog.js";
import { Keys } from "./components/controls.js";
import { Icon } from "./components/icons.js";
import { TaskMark } from "./components/marks.js";
import { taskActions } from "./actions.js";
import { call } from "./bridge.js";
import { listShortcuts } from "./keys.js";
import { go, overlay, route } from "./router.js";
import { orToast, tasks, taskList } from "./store.js";
import { t } from "./strings.js";

const close = () => {
  overlay.value = "";
};

const MAX_SHOWN = 60;

/** @typedef {{label: string, hint?: string, icon?: string, row?: any, run: () => void}} Command */

/** @returns {Command[]} */
function places() {
  return [
    { label: t("new.title"), icon: "plus", hint: "N", run: () => go("new") },
    { label: t("tasks.title"), icon: "list", hint: "G T", run: () => go("tasks") },
    { label: t("setup.title"), icon: "pulse", hint: "G C", run: () => go("setup") },
    ...["packs", "models", "defaults", "look", "notifications", "data", "keys"].map((section) => ({
      label: `${t("settings.title")}: ${t(`settings.${section}`)}`, icon: "settings", run: () => go("settings", section),
    })),
  ];
}

/** What is quicker here than in the settings. @returns {Command[]} */
function looks() {
  const themes = ["system", "light", "dark"].map((theme) => ({
    label: `${t("look.theme")}: ${t(`look.theme_${theme}`)}`, icon: "spark", run: () => orToast(call("settings.set", { key: "theme", value: theme })),
  }));
  return [{ label: t("palette.check"), icon: "retry", run: () => orToast(call("setup.check")) }, ...themes];
}

/** @returns {Command[]} */
function commands() {
  const open = tasks.value.get(route.value.parts[0] === "task" ? route.value.parts[1] : "");
  const own = open ? taskActions(open).filter((one) => !one.disabled).map((one) => ({ ...one, hint: open.title })) : [];
  const rows = taskList.value.map((row) => ({ label: row.title, row, hint: row.folders[0]?.name || "", run: () => go("task", row.task_id) }));
  return [...own, ...places(), ...rows, ...looks()];
}

/** Every letter in order, words' beginnings first. @param {string} text @param {string} query */
export function matchScore(text, query) {
  const [low, wanted] = [text.toLowerCase(), query.toLowerCase()];
  const at = low.indexOf(wanted);
  if (at >= 0) return at === 0 ? 3 : /\W/.test(low[at - 1]) ? 2 : 1;
  let from = 0;
  for (const letter of wanted) {
    from = low.indexOf(letter, from) + 1;
    if (!from) return -1;
  }
  return 0;
}

export function Palette() {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const all = useMemo(commands, [tasks.value, route.value]);
  const shown = all
    .map((one) => ({ one, score: query ? matchScore(`${one.label} ${one.hint || ""}`, query) : 0 }))
    .filter((one) => one.score >= 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MAX_SHOWN)
    .map(({ one }) => one);
  const choose = (/** @type {Command | undefined} */ one) => {
    close();
    one?.run();
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (event.key === "Enter") choose(shown[at]);
    else if (to !== undefined) setAt((to + shown.length) % Math.max(1, shown.length));
    else return;
    event.preventDefault();
  };
  const input = (/** @type {any} */ event) => {
    setQuery(event.currentTarget.value);
    setAt(0);
  };
  return html`<${Dialog} title=${t("palette.title")} onClose=${close} class="palette" isBare>
    <div class="palette-input"><${Icon} name="search" /><input role="combobox" aria-expanded="true" aria-controls="palette-list" aria-label=${t("palette.title")}
      aria-activedescendant=${shown.length ? `palette-${at}` : undefined} placeholder=${t("palette.placeholder")} autofocus value=${query} onInput=${input} onKeyDown=${keydown} /></div>
    <ul id="palette-list" role="listbox" aria-label=${t("palette.title")}>
      ${shown.map((one, index) => html`<li id="palette-${index}" key=${index} role="option" aria-selected=${String(index === at)} ref=${index === at ? reveal : undefined}
        onClick=${() => choose(one)} onMouseMove=${() => setAt(index)}>
        ${one.row ? html`<${TaskMark} row=${one.row} />` : html`<${Icon} name=${one.icon || "palette"} />`}<span class="ellipsis">${one.label}</span><small>${one.hint}</small></li>`)}
    </ul>
    ${!shown.length && html`<p class="palette-none" role="status">${t("palette.none", { query })}</p>`}
  </${Dialog}>`;
}

/** @param {HTMLElement | null} node */
function reveal(node) {
  node?.scrollIntoView({ block: "nearest" });
}

export function KeysHelp() {
  return html`<${Dialog} title=${t("keys.title")} onClose=${close} class="wide"><${KeyTable} /></${Dialog}>`;
}

/** All keys in force, in groups; also a part of the settings. */
export function KeyTable() {
  const list = useMemo(listShortcuts, []);
  const groups = [...new Set(list.map((one) => one.group || "go"))];
  return html`<div class="key-table">${groups.map((group) => html`<section key=${group}><h3>${t(`keys.group_${group}`)}</h3>
    <dl>${list.filter((one) => (one.group || "go") === group).map((one) => html`<div key=${one.keys}><dt>${one.label}</dt><dd><${Keys} keys=${one.keys} /></dd></div>`)}</dl></section>`)}
    <section><h3>${t("keys.group_list")}</h3><dl>
      ${[["j", "keys.down"], ["k", "keys.up"], ["Enter", "keys.open"], ["Escape", "keys.escape"]].map(([keys, label]) => html`<div key=${keys}><dt>${t(label)}</dt><dd><${Keys} keys=${keys} /></dd></div>`)}
    </dl></section></div>`;
}
