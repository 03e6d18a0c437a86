// @ts-check
/**
 * What runs where: title, state, accelerator, jail, folders, network, memory, disk, pack, and what can be done.
 *
 * In: TaskRow, TaskDetail. Out: elements, actions of actions.js. Never: a claim that the row does not make.
 */
import { html, useState } from "/vendor/preact.js";
import { rename, taskActions } from "../../actions.js";
import { Button, EditableText, Elapsed } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { EmulatedBadge, NetworkMark, StatePill } from "../../components/marks.js";
import { MenuButton } from "../../components/menu.js";
import { childrenOf, familyOf, originOf } from "../../family.js";
import { bytes, memory, moment, shortPath } from "../../format.js";
import { href } from "../../router.js";
import { setup, tasks } from "../../store.js";
import { t } from "../../strings.js";

/** @typedef {import("./session.js").TaskSession} TaskSession */

/** @param {{session: TaskSession, row: any}} props */
export function TaskHeader({ session, row }) {
  const [isOpen, setOpen] = useState(!!session.keep.get("facts"));
  const toggle = () => {
    session.keep.set("facts", !isOpen);
    setOpen(!isOpen);
    if (!isOpen) session.open(); // sizes on disk come with it
  };
  const guestTitle = session.agent.value?.title;
  return html`<header class="task-head">
    <div class="task-top">
      <${EditableText} tag="h1" class="head-title" value=${row.title} label=${t("action.rename")} onSave=${(/** @type {string} */ title) => rename(row, title)} />
      ${guestTitle && html`<span class="guest-tag" title=${t("task.guest.title")}><${Icon} name="box" size=${11} /><span class="ellipsis">${guestTitle}</span></span>`}
      <span class="task-state"><${StatePill} row=${row} />${row.is_over ? html`<${Elapsed} since=${row.created_ms} until=${row.ended_ms ?? row.changed_ms} />` : html`<${Elapsed} since=${row.state_since_ms} />`}</span>
      <${Actions} row=${row} />
    </div>
    <div class="head-facts">
      ${row.is_emulated && html`<${EmulatedBadge} />`}
      ${!row.is_emulated && row.accelerator && html`<span class="chip" title=${t("task.fact.accelerator")}><${Icon} name="bolt" size=${12} />${row.accelerator.toUpperCase()}</span>`}
      <${JailChip} row=${row} detail=${session.detail.value} />
      <${NetworkMark} network=${row.network} label=${row.network_label} />
      ${row.folders.map((/** @type {any} */ folder) => html`<${Mount} key=${folder.guest_path} folder=${folder} />`)}
      <button type="button" class="text-button" aria-expanded=${String(isOpen)} aria-controls="task-all-facts" onClick=${toggle}>${t(isOpen ? "task.facts.less" : "task.facts.more")}</button>
    </div>
    <${Family} session=${session} row=${row} />
    ${isOpen && html`<${AllFacts} row=${row} detail=${session.detail.value} />`}
  </header>`;
}

/** Where the task comes from, what goes on from it; on demand the whole tree. @param {{session: TaskSession, row: any}} props */
function Family({ session, row }) {
  const [isOpen, setOpen] = useState(!!session.keep.get("family"));
  const children = childrenOf.value.get(row.task_id) ?? [];
  if (!row.continues && !children.length) return null;
  const toggle = () => {
    session.keep.set("family", !isOpen);
    setOpen(!isOpen);
  };
  const isThere = tasks.value.has(row.continues);
  return html`<div class="family">
    <p><${Icon} name="branch" size=${12} />
      ${row.continues && (isThere ? html`<a class="ellipsis" href=${href("task", row.continues)}>${originOf(row)}</a>` : html`<span class="ellipsis">${originOf(row)}</span>`)}
      ${children.length > 0 && html`<span>${t("family.children", { n: children.length })}</span>`}
      ${(isThere || children.length > 0) && html`<button type="button" class="text-button" aria-expanded=${String(isOpen)} aria-controls="task-family" onClick=${toggle}>${t(isOpen ? "family.hide" : "family.show")}</button>`}</p>
    ${isOpen && html`<ul id="task-family" class="family-tree" aria-label=${t("family.label")}>${familyOf(row).map((member) => html`<${Member} key=${member.row.task_id} member=${member} isHere=${member.row.task_id === row.task_id} />`)}</ul>`}
  </div>`;
}

/** @param {{member: import("../../family.js").Member, isHere: boolean}} props */
function Member({ member: { row, depth }, isHere }) {
  const at = row.earlier_messages + (row.branch_key ? 1 : 0);
  return html`<li class="depth-${Math.min(depth, 6)}"><${StatePill} row=${row} />
    ${isHere ? html`<b class="ellipsis" aria-current="page">${row.title}</b>` : html`<a class="ellipsis" href=${href("task", row.task_id)}>${row.title}</a>`}
    ${depth > 0 && html`<span class="faint">${t(row.branch_key ? "family.at_branch" : "family.at_end", { n: at })}</span>`}</li>`;
}

/** @param {{row: any}} props */
function Actions({ row }) {
  const actions = taskActions(row);
  const main = actions.filter((one) => one.isMain || one.id === "cancel");
  const rest = actions.filter((one) => !main.includes(one));
  return html`<span class="head-actions">
    ${main.map((one) => html`<${Button} key=${one.id} size="small" icon=${one.icon} disabled=${one.disabled} title=${one.title} kind=${one.isMain ? "primary" : "plain"} onClick=${one.run}>${one.label}</${Button}>`)}
    ${rest.length > 0 && html`<${MenuButton} label=${t("action.more")} items=${rest} />`}</span>`;
}

/** Host folder → place in the machine, and whether the task may write there. @param {{folder: any}} props */
const Mount = ({ folder }) =>
  html`<span class="chip mount" title="${folder.path} → ${folder.guest_path} · ${t(folder.read_only ? "folder.ro_long" : "folder.rw_long")}">
    <${Icon} name=${folder.read_only ? "lock" : "folder"} size=${12} /><span class="ellipsis">${shortPath(folder.path)}</span><span class="arrow" aria-label=${t("task.fact.is_in_machine")}>→</span>
    <span class="ellipsis">${folder.guest_path}</span><b class=${folder.read_only ? "ro" : "rw"}>${t(folder.read_only ? "folder.ro" : "folder.rw")}</b></span>`;

/** The jail of the task as its journal says it, else that of this computer, as long as the machine runs. @param {any} row @param {any} detail */
function jailOf(row, detail) {
  const jail = detail?.jail || (row.is_live ? setup.value?.jail : null);
  return jail ? { isOn: jail.is_on === true, text: jail.reason } : null;
}

/** @param {{row: any, detail: any}} props */
function JailChip({ row, detail }) {
  const jail = jailOf(row, detail);
  if (!jail) return null;
  return html`<span class="chip ${jail.isOn ? "" : "warn"}" title=${jail.text}><${Icon} name=${jail.isOn ? "shield" : "warning"} size=${12} />${t(jail.isOn ? "task.fact.jailed" : "task.fact.not_jailed")}</span>`;
}

/** @param {{row: any, detail: any}} props */
function AllFacts({ row, detail }) {
  const jail = jailOf(row, detail);
  const facts = [
    ["accelerator", row.is_emulated ? t("emulated.meaning") : row.accelerator ? row.accelerator.toUpperCase() : "–"],
    ["jail", jail ? t(jail.isOn ? "jail.on" : "jail.off", { reason: jail.text }) : "–"],
    ["network", t(row.network === "offline" ? "network.offline_long" : "network.model_long")],
    ["model", row.model?.label ?? "–"],
    ["size", detail ? t("task.fact.size_value", { cpus: detail.cpu_count, memory: memory(detail.memory_mib) }) : "–"],
    ["disk", bytes(detail?.disk_use_bytes)],
    ["cache", t(detail?.cache ? "task.fact.on" : "task.fact.off")],
    ["pack", [detail?.pack_id, detail?.guest_kernel].filter(Boolean).join(" · ") || "–"],
    ["thinking", detail?.thinking || "–"],
    ["made", moment(row.created_ms)],
  ];
  return html`<dl class="all-facts" id="task-all-facts">
    ${facts.map(([name, value]) => html`<div key=${name}><dt>${t(`task.fact.${name}`)}</dt><dd>${value}</dd></div>`)}
    ${row.folders.map((/** @type {any} */ folder) => html`<div key=${folder.guest_path}><dt>${t("task.fact.folder")}</dt><dd class="wrap">${folder.path} → ${folder.guest_path} (${t(folder.read_only ? "folder.ro_long" : "folder.rw_long")}${folder.share ? `, ${folder.share}` : ""})</dd></div>`)}
    ${detail?.share_reason && html`<div><dt>${t("task.fact.share")}</dt><dd>${detail.share_reason}</dd></div>`}
  </dl>`;
}
