// @ts-check
/**
 * How a task's state looks everywhere: a shape and a word, never a colour alone.
 * In: TaskRow. Out: marks and badges. Never: a judgement that the row does not carry.
 */
import { html } from "/vendor/preact.js";
import { t } from "../strings.js";
import { shortPath } from "../format.js";
import { Icon } from "./icons.js";

/** @typedef {"question"|"setup"|"turn"|"busy"|"working"|"done"|"failed"|"cancelled"|"created"} MarkKind */

/** @type {Record<string, string>} */
const ICONS = { question: "question", setup: "warning", turn: "turn", done: "check", failed: "cross", cancelled: "blocked", created: "clock" };
/** @type {Record<string, MarkKind>} */
const RESULTS = { completed: "done", cancelled: "cancelled" };

/** @param {any} row TaskRow @returns {MarkKind} */
export function markOf(row) {
  if (row.needs_you) return row.needs_you;
  if (row.is_over) return row.state === "stranded" ? "failed" : RESULTS[row.outcome?.result] || "failed";
  if (row.state === "created") return "created";
  return row.state === "running" ? "working" : "busy";
}

/** The word beside the mark. @param {any} row TaskRow @returns {string} */
export function wordOf(row) {
  const kind = markOf(row);
  if (kind === "question" || kind === "turn" || kind === "setup") return t(`mark.${kind}`);
  if (row.is_over && row.state !== "stranded") return t(`mark.${kind}`);
  if (row.runs_elsewhere) return t("mark.elsewhere", { state: row.state_label });
  return kind === "working" ? row.agent_label || row.state_label : row.state_label;
}

/** @param {{row: any, size?: number, isSilent?: boolean}} props `isSilent` where the word stands beside it */
export function TaskMark({ row, size = 14, isSilent }) {
  const kind = markOf(row);
  const word = wordOf(row);
  return html`<span class="mark ${kind}" title=${word} ...${isSilent ? { "aria-hidden": "true" } : { role: "img", "aria-label": word }}>
    ${ICONS[kind] ? html`<${Icon} name=${ICONS[kind]} size=${size} />` : html`<i class=${kind === "busy" ? "ring" : "beat"}></i>`}
  </span>`;
}

/** Mark and word in a pill. @param {{row: any}} props */
export const StatePill = ({ row }) =>
  html`<span class="pill ${markOf(row)}"><${TaskMark} row=${row} size=${12} isSilent /><span>${wordOf(row)}</span></span>`;

/** Loud on purpose: under emulation there is no isolation boundary. */
export const EmulatedBadge = () =>
  html`<span class="badge loud" title=${t("emulated.meaning")}><${Icon} name="warning" size=${12} />${t("emulated.badge")}</span>`;

/** @param {{folder: {path: string, name: string, read_only: boolean}}} props */
export const FolderChip = ({ folder }) =>
  html`<span class="chip" title="${folder.path} · ${t(folder.read_only ? "folder.ro_long" : "folder.rw_long")}">
    <${Icon} name=${folder.read_only ? "lock" : "folder"} size=${12} /><span class="ellipsis">${folder.name || shortPath(folder.path)}</span>
    <b class=${folder.read_only ? "ro" : "rw"}>${t(folder.read_only ? "folder.ro" : "folder.rw")}</b></span>`;

/** @param {{network: string, label?: string}} props */
export const NetworkMark = ({ network, label }) =>
  html`<span class="chip" title=${t(network === "offline" ? "network.offline_long" : "network.model_long")}>
    <${Icon} name=${network === "offline" ? "offline" : "network"} size=${12} />${label || t(`network.${network}`)}</span>`;
