// @ts-check
/**
 * The runtime's packs: update, verify, roll back, clean; when to look for updates; how much disk they may use.
 * In: packs, settings. Out: pack jobs and settings. Never: an update that the person did not ask for.
 */
import { html, useRef, useState } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { bytes, date } from "../format.js";
import { orToast, packs, settings } from "../store.js";
import { t } from "../strings.js";
import { isChannelReady, rootWords, setChannel, trustRoot } from "../components/channel.js";
import { Ago, Button, Notice, Progress } from "../components/controls.js";
import { Dialog, confirm } from "../components/dialog.js";
import { Icon } from "../components/icons.js";
import { JobCard, startJob } from "../components/job.js";
import { MenuButton } from "../components/menu.js";
import { Prose } from "../components/prose.js";
import { Group, Row, SelectRow, SwitchRow, change } from "./settings.js";

const GB = 1e9;
const LIMITS_GB = [2, 4, 8, 16];
const INTERVALS_H = [6, 24, 72, 168];

export function Packs() {
  const view = packs.value;
  const [isAsking, setAsking] = useState(false);
  const isBusy = view.job?.state === "running";
  return html`${view.job && html`<${JobCard} job=${view.job} />`}
    ${view.update && !isBusy && html`<${Update} update=${view.update} />`}
    ${view.check_error && html`<${Notice} level="warning" title=${t("packs.check_failed", { message: view.check_error.message })}><${Prose} text=${view.check_error.hint} /></${Notice}>`}
    <${Installed} view=${view} isBusy=${isBusy} onRollBack=${() => setAsking(true)} />
    <${Updates} view=${view} />
    <${Disk} view=${view} isBusy=${isBusy} />
    ${isAsking && html`<${RollBack} version=${view.previous.version} onClose=${() => setAsking(false)} />`}`;
}

/** @param {{update: any}} props */
function Update({ update }) {
  const skip = (/** @type {string | null} */ version) => async () => {
    const view = await orToast(call("pack.skip", { version }));
    if (view) packs.value = view;
  };
  if (update.is_skipped) return html`<${Notice} level="info" actions=${html`<${Button} size="small" onClick=${skip(null)}>${t("packs.unskip")}</${Button}>`}>${t("packs.skipped", { version: update.version })}</${Notice}>`;
  const actions = html`<${Button} size="small" kind="quiet" onClick=${skip(update.version)}>${t("packs.skip")}</${Button}><${Button} size="small" kind="primary" icon="download" onClick=${() => startJob("update")}>${t("packs.update")}</${Button}>`;
  return html`<${Notice} level="info" title=${t("packs.update_there", { version: update.version })} actions=${actions}>${t("packs.update_size", { download: bytes(update.download_bytes), size: bytes(update.size_bytes) })}</${Notice}>`;
}

/** @param {{view: any, isBusy: boolean, onRollBack: () => void}} props */
function Installed({ view, isBusy, onRollBack }) {
  const items = [
    { label: t("packs.verify"), icon: "shield", run: () => startJob("verify") },
    { label: t("packs.repair"), icon: "retry", run: () => startJob("repair") },
    { label: t("packs.from_file"), icon: "folder", run: () => startJob("install", { source: "file" }) },
    view.can_build && { label: t("setup.build"), icon: "box", run: () => startJob("install", { source: "build" }) },
  ];
  const actions = html`${view.previous && html`<${Button} size="small" icon="again" disabled=${isBusy} onClick=${onRollBack}>${t("setup.roll_back")}</${Button}>`}
    ${!view.active && html`<${Button} size="small" kind="primary" icon="download" disabled=${isBusy || !isChannelReady(view)} title=${isChannelReady(view) ? undefined : t("setup.missing_title")} onClick=${() => startJob("install", { source: "channel" })}>${t("setup.install")}</${Button}>`}
    <${MenuButton} label=${t("packs.more")} items=${items.map((one) => one && { ...one, disabled: isBusy })} />`;
  return html`<${Group} title=${t("packs.installed")} actions=${actions}>
    ${view.packs.length ? inOrder(view.packs).map((/** @type {any} */ one) => html`<${Pack} key=${one.pack_id} pack=${one} />`) : html`<p class="row hint">${t("status.no_pack")}</p>`}
  </${Group}>`;
}

const PILLS = /** @type {Record<string, string>} */ ({ active: "done", trial: "busy", failed: "failed", corrupt: "failed" });

/** @param {string} created an ISO date, with or without a time */
const madeOn = (created) => (Number.isNaN(Date.parse(created)) ? created : date(Date.parse(created)));

const RANKS = ["active", "trial", "previous"];
/** The one in use first, then what one can go back to. @param {any[]} list */
const inOrder = (list) => [...list].sort((a, b) => (RANKS.indexOf(a.state) + 9) % 9 - (RANKS.indexOf(b.state) + 9) % 9);

/** @param {{pack: any}} props */
const Pack = ({ pack }) =>
  html`<details class="pack"><summary><${Icon} name="chevron" size=${12} /><b>${pack.version || pack.pack_id}</b><span class="pill ${PILLS[pack.state] || ""}">${pack.state_label}</span>
      ${pack.reason && html`<span class="ellipsis hint" title=${pack.reason}>${pack.reason}</span>`}<span class="grow"></span><span class="num hint" title=${pack.created}>${madeOn(pack.created)}</span><span class="num hint">${bytes(pack.size_bytes)}</span></summary>
    <dl class="pack-facts"><div><dt>${t("packs.id")}</dt><dd class="mono wrap">${pack.pack_id}</dd></div><div><dt>${t("packs.signed")}</dt><dd class="mono wrap">${pack.signed_by}</dd></div>
      <div><dt>${t("packs.inside")}</dt><dd>${Object.entries(pack.components).map(([name, version]) => `${name} ${version}`).join(" · ")}</dd></div></dl></details>`;

/** @param {{view: any}} props */
function Updates({ view }) {
  const own = settings.value;
  const [isChecking, setChecking] = useState(false);
  const check = async () => {
    setChecking(true);
    const found = await orToast(call("pack.check"));
    setChecking(false);
    if (found) packs.value = found;
  };
  const words = view.last_check_ms ? html`${t("packs.last_check")} <${Ago} at=${view.last_check_ms} />` : t("packs.never_checked");
  const hours = [...new Set([...INTERVALS_H, own.update_interval_h])].sort((a, b) => a - b).map((value) => ({ value, label: value % 24 ? t("packs.hours", { n: value }) : t("packs.days", { n: value / 24 }) }));
  return html`<${Group} title=${t("packs.updates")}>
    <${Row} label=${t("packs.channel")} hint=${view.channel ? html`<span class="wrap">${view.channel}</span>` : t("packs.no_channel")}><span class="hint">${words}</span><${Button} size="small" kind="quiet" onClick=${setChannel}>${t("packs.set_channel")}</${Button}><${Button} size="small" icon="retry" isBusy=${isChecking} onClick=${check}>${t("packs.check")}</${Button}></${Row}>
    <${Row} label=${t("packs.root")} hint=${rootWords(view.trust)}><${Button} size="small" kind="quiet" icon="shield" disabled=${view.job?.state === "running"} onClick=${trustRoot}>${t("packs.root_trust")}</${Button}></${Row}>
    <${SwitchRow} id="u-check" label=${t("packs.auto_check")} hint=${t("packs.auto_check_hint")} isOn=${own.update_check} onChange=${(/** @type {boolean} */ value) => change("update_check", value)} />
    ${own.update_check && html`<${SelectRow} id="u-interval" label=${t("packs.interval")} value=${own.update_interval_h} options=${hours} onChange=${(/** @type {number} */ value) => change("update_interval_h", value)} />
      <${SwitchRow} id="u-download" label=${t("packs.auto_download")} hint=${t("packs.auto_download_hint")} isOn=${own.update_download} onChange=${(/** @type {boolean} */ value) => change("update_download", value)} />
      <${SwitchRow} id="u-metered" label=${t("packs.metered")} isOn=${own.update_on_metered} onChange=${(/** @type {boolean} */ value) => change("update_on_metered", value)} />`}
  </${Group}>`;
}

/** @param {{view: any, isBusy: boolean}} props */
function Disk({ view, isBusy }) {
  const limit = settings.value.disk_limit_bytes;
  const options = [{ value: null, label: t("packs.no_limit") }, ...[...new Set([...LIMITS_GB.map((gb) => gb * GB), limit])].filter(Boolean).sort((a, b) => a - b).map((value) => ({ value, label: bytes(value) }))];
  return html`<${Group} title=${t("packs.disk")}>
    <${Row} label=${limit ? t("packs.disk_of", { used: bytes(view.disk_use_bytes), limit: bytes(limit) }) : t("packs.disk_used", { used: bytes(view.disk_use_bytes) })} hint=${limit && html`<${Progress} label=${t("packs.disk")} done=${view.disk_use_bytes} total=${limit} />`}>
      <${Button} size="small" icon="trash" disabled=${isBusy} onClick=${clean}>${t("setup.clean")}</${Button}></${Row}>
    <${SelectRow} id="disk-limit" label=${t("packs.limit")} hint=${t("packs.limit_hint")} value=${limit} options=${options} onChange=${(/** @type {number | null} */ value) => change("disk_limit_bytes", value)} />
  </${Group}>`;
}

async function clean() {
  const isSure = await confirm({ title: t("packs.clean_title"), lines: [t("packs.clean_line")], yes: t("setup.clean") });
  if (isSure) await startJob("clean");
}

/** Rolling back takes a word of why, for the journal. @param {{version: string, onClose: () => void}} props */
function RollBack({ version, onClose }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    const words = input.current?.value.trim();
    startJob("rollback", words ? { words } : {});
    onClose();
  };
  return html`<${Dialog} title=${t("rollback.title")} onClose=${onClose} class="small"><form onSubmit=${send} class="key-form"><p>${t("rollback.line", { version })}</p>
    <label class="label" for="rollback-words">${t("rollback.words")}</label><input id="rollback-words" ref=${input} maxlength="300" autofocus />
    <footer><${Button} onClick=${onClose}>${t("dialog.cancel")}</${Button}><${Button} kind="primary" type="submit">${t("setup.roll_back")}</${Button}></footer></form></${Dialog}>`;
}
