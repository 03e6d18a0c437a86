// @ts-check
/**
 * What fits what is being written: commands after `/`, files of the workspace after `@`.
 *
 * In: a completion, pi's commands, the host's list of files. Out: a list under the editor. Never: a file's content.
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Icon } from "../../components/icons.js";
import { t } from "../../strings.js";
import { OWN_COMMANDS, matching } from "./composer-text.js";

const LIMIT = 12;
const PAUSE_MS = 90;

/** @typedef {{name: string, description: string, source: string, isWritten?: boolean}} Item */

/**
 * @param {import("./session.js").TaskSession} session
 * @param {import("./composer-text.js").Completion|null} completion
 * @param {boolean} isReady pi can be asked for its commands
 */
export function useSuggestions(session, completion, isReady) {
  const [closedAt, setClosedAt] = useState(-1);
  const [at, setAt] = useState(0);
  const commands = useCommands(session, completion?.kind === "command", isReady);
  const files = useFiles(session, completion?.kind === "file" ? completion.query : null);
  const items = completion ? itemsFor(completion, commands, files) : [];
  const from = completion?.from ?? -1;
  const query = completion?.query ?? "";
  useEffect(() => setAt(0), [query, from, items.length]);
  return {
    items,
    kind: completion?.kind,
    at: Math.min(at, Math.max(0, items.length - 1)),
    isOpen: items.length > 0 && closedAt !== from,
    move: (/** @type {number} */ step) => setAt((now) => (Math.min(now, items.length - 1) + step + items.length) % items.length),
    close: () => setClosedAt(from),
    reopen: () => setClosedAt((now) => (now === from ? now : -1)),
    point: setAt,
  };
}

/** @param {import("./composer-text.js").Completion} completion @param {Item[]} commands @param {string[]} files @returns {Item[]} */
function itemsFor(completion, commands, files) {
  if (completion.kind === "file") return files.slice(0, LIMIT).map((name) => ({ name, description: "", source: "file" }));
  return matching(commands, completion.query, LIMIT).map((item) => ({ ...item, isWritten: item.name === completion.query }));
}

/** pi's commands and pui's own; pi is asked each time a list is opened, since extensions may add some. @param {any} session @param {boolean} isWanted @param {boolean} isReady @returns {Item[]} */
function useCommands(session, isWanted, isReady) {
  const [found, setFound] = useState(/** @type {Item[]} */ (session.keep.get("commands") ?? []));
  useEffect(() => {
    if (!isWanted || !isReady) return;
    call("agent.commands", { task_id: session.taskId }).then(
      (reply) => {
        session.keep.set("commands", reply.commands);
        setFound(reply.commands);
      },
      // without pi's list its commands can still be typed; the own ones stay
      () => setFound([]),
    );
  }, [isWanted, isReady]);
  const own = OWN_COMMANDS.map((name) => ({ name, description: t(`task.command.${name}`), source: "pui" }));
  const names = new Set(OWN_COMMANDS);
  return [...own, ...found.filter((/** @type {Item} */ one) => !names.has(one.name)).map((/** @type {Item} */ one) => ({ ...one, description: one.description || "" }))];
}

/** @param {any} session @param {string|null} query @returns {string[]} */
function useFiles(session, query) {
  const [files, setFiles] = useState(/** @type {string[]} */ ([]));
  const newest = useRef(0);
  useEffect(() => {
    if (query === null) return setFiles([]);
    const number = ++newest.current;
    const timer = setTimeout(async () => {
      try {
        const reply = await call("agent.files", { task_id: session.taskId, query });
        if (number === newest.current) setFiles(reply.files);
      } catch {
        // a folder that cannot be read has nothing to suggest; the message itself will say what is wrong
        if (number === newest.current) setFiles([]);
      }
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [query]);
  return files;
}

/** @param {{found: any, choose: (name: string) => void}} props */
export function Suggestions({ found, choose }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    list.current?.children[found.at]?.scrollIntoView({ block: "nearest" });
  }, [found.at]);
  const sign = found.kind === "file" ? "@" : "/";
  return html`<ul class="suggestions" id="suggestions" role="listbox" ref=${list} aria-label=${t(`task.suggest.${found.kind}`)}>
    ${found.items.map((/** @type {Item} */ item, /** @type {number} */ index) => html`<li key=${item.name} id="suggestion-${index}" role="option" aria-selected=${String(index === found.at)}
      onMouseDown=${(/** @type {Event} */ event) => { event.preventDefault(); choose(item.name); }} onMouseMove=${() => found.point(index)}>
      <${Icon} name=${ICONS[item.source] ?? "spark"} size=${13} /><span class="suggestion-name">${sign}${item.name}</span>
      <span class="suggestion-about ellipsis">${item.description}</span>${item.source !== "file" && html`<small>${t(`task.source.${SOURCES.has(item.source) ? item.source : "other"}`)}</small>`}</li>`)}
  </ul>`;
}

/** @type {Record<string, string>} */
const ICONS = { pui: "bolt", file: "list", extension: "box", prompt: "turn", skill: "spark" };
const SOURCES = new Set(["pui", "extension", "prompt", "skill"]);
