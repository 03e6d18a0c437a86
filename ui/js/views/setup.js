// @ts-check
/**
 * This computer: what a task needs, what is missing, and the way there in three steps.
 * In: setup, packs. Out: checks and pack jobs. Never: a finding without a way on.
 */
import { html, useRef } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { bytes, memory } from "../format.js";
import { href } from "../router.js";
import { orToast, packs, setup, tasks } from "../store.js";
import { t } from "../strings.js";
import { ChannelNeeds, isChannelReady } from "../components/channel.js";
import { Ago, Button, Elapsed } from "../components/controls.js";
import { confirm } from "../components/dialog.js";
import { Icon } from "../components/icons.js";
import { JobCard, startJob } from "../components/job.js";
import { EmulatedBadge } from "../components/marks.js";
import { Prose } from "../components/prose.js";
import { SetupDiagram } from "./setup-diagram.js";

const SEVERITY_ICONS = /** @type {Record<string, string>} */ ({ blocker: "blocked", warning: "warning", note: "info" });

export const checkAgain = () => orToast(call("setup.check"));

export function SetupView() {
  const found = setup.value;
  const isNew = !packs.value?.active || !found.accelerator || !tasks.value.size;
  return html`<div class="page setup-page">
    <header class="page-head"><div><h1>${t("setup.title")}</h1><p role="status" aria-live="polite">${stateLine(found)}</p></div>
      <div class="actions"><${Button} icon="retry" isBusy=${found.is_checking} onClick=${checkAgain}>${found.is_checking ? t("status.checking") : t("setup.check")}</${Button}></div></header>
    ${isNew && html`<${Steps} />`}
    <${Runtime} />
    <${Findings} list=${found.findings} />
    <${Acceleration} found=${found} />
    <${Computer} found=${found} />
    <${SetupDiagram} />
  </div>`;
}

/** @param {any} found SetupView */
function stateLine(found) {
  if (found.is_checking) return html`${t("setup.checking")} ${found.started_ms && html`<${Elapsed} since=${found.started_ms} />`}`;
  const word = t(found.is_ready ? "setup.ready" : "setup.not_ready");
  return html`${word}${found.checked_ms && html` · ${t("setup.checked")} <${Ago} at=${found.checked_ms} />`}`;
}

// the way of a newcomer

function Steps() {
  const isDone = [!!packs.value?.active, !!setup.value?.accelerator, tasks.value.size > 0];
  const at = isDone.indexOf(false);
  return html`<ol class="steps" aria-label=${t("setup.steps")}>
    ${["runtime", "acceleration", "task"].map((step, index) => {
      const state = isDone[index] ? "done" : index === at ? "current" : "todo";
      return html`<li key=${step} class=${state} aria-current=${state === "current" ? "step" : undefined}>
        <span class="step-number">${state === "done" ? html`<${Icon} name="check" size=${14} label=${t("setup.step_done")} />` : index + 1}</span>
        <span><b>${t(`welcome.step_${step}`)}</b><small>${t(`setup.step_${step}_${state === "done" ? "done" : "todo"}`)}</small></span>
        ${step === "task" && state === "current" && html`<a class="button primary small" href="${href("new")}?demo=1">${t("tasks.try_demo")}</a>`}</li>`;
    })}
  </ol>`;
}

// the runtime

/** The job of a pack that is running, or that ended badly and is worth a word. */
function Runtime() {
  const view = packs.value;
  const last = useRef({ source: "channel" });
  const install = (/** @type {string} */ source) => {
    last.current.source = source;
    startJob("install", { source });
  };
  const job = view.job;
  const isRunning = job?.state === "running";
  if (view.active && !job) return null;
  return html`<section class="runtime" aria-labelledby="runtime-title">
    <h2 id="runtime-title" class="section-title">${t("setup.runtime")}</h2>
    ${job && html`<${JobCard} job=${job} onRetry=${() => retryJob(job, () => install(last.current.source))} />`}
    ${!view.active && !isRunning && html`<div class="card install">
      <p>${t("setup.runtime_text")}</p>
      <${InstallButtons} onInstall=${install} view=${view} />
    </div>`}
  </section>`;
}

/** @param {any} job @param {() => void} install */
function retryJob(job, install) {
  const verbs = ["update", "repair", "verify", "clean", "try", "rollback"];
  if (verbs.includes(job.kind)) startJob(job.kind);
  else install();
}

/** @param {{onInstall: (source: string) => void, view: any}} props */
const InstallButtons = ({ onInstall, view }) =>
  html`<${ChannelNeeds} view=${view} />
  <div class="button-row"><${Button} kind="primary" icon="download" disabled=${!isChannelReady(view)} title=${isChannelReady(view) ? undefined : t("setup.missing_title")} onClick=${() => onInstall("channel")}>${t("setup.install")}</${Button}>
    <${Button} icon="folder" onClick=${() => onInstall("file")}>${t("setup.install_file")}</${Button}>
    ${view.can_build && html`<${Button} kind="quiet" icon="box" title=${t("setup.build_hint")} onClick=${() => onInstall("build")}>${t("setup.build")}</${Button}>`}</div>`;

// findings

/** @param {{list: any[]}} props */
function Findings({ list }) {
  const shown = packs.value.active ? list : list.filter((one) => one.action !== "install_pack");
  if (!shown.length) return null;
  return html`<section aria-labelledby="findings-title"><h2 id="findings-title" class="section-title">${t("setup.findings")}</h2>
    <ul class="findings">${shown.map((one) => html`<${Finding} key=${one.code} finding=${one} />`)}</ul></section>`;
}

/** @param {{finding: any}} props */
function Finding({ finding }) {
  return html`<li class="finding card ${finding.severity}">
    <span class="finding-icon"><${Icon} name=${SEVERITY_ICONS[finding.severity]} label=${t(`setup.${finding.severity}`)} /></span>
    <div class="finding-body"><h3>${finding.title}</h3><p><${Prose} text=${finding.message} /></p>
      ${finding.steps.length ? html`<ol>${finding.steps.map((/** @type {string} */ step) => html`<li><${Prose} text=${step} isCopyable /></li>`)}</ol>` : null}
      ${finding.hint && !finding.steps.length && html`<p class="finding-hint"><${Prose} text=${finding.hint} /></p>`}
      <${FindingActions} action=${finding.action} />
    </div></li>`;
}

/** @param {{action: string}} props */
function FindingActions({ action }) {
  const isBusy = setup.value.is_checking;
  const again = html`<${Button} size="small" icon="retry" isBusy=${isBusy} onClick=${checkAgain}>${t("setup.check")}</${Button}>`;
  const one = (/** @type {string} */ key, /** @type {() => void} */ run, /** @type {string} */ icon) =>
    html`<div class="button-row"><${Button} size="small" kind="primary" icon=${icon} onClick=${run}>${t(key)}</${Button}>${again}</div>`;
  if (action === "install_pack") return html`<${InstallButtons} onInstall=${(/** @type {string} */ source) => startJob("install", { source })} view=${packs.value} />`;
  if (action === "repair_pack") return one("setup.repair", () => startJob("repair"), "retry");
  if (action === "try_pack") return one("setup.try", () => startJob("try"), "play");
  if (action === "roll_back") return one("setup.roll_back", rollBack, "again");
  if (action === "free_disk") return one("setup.clean", () => startJob("clean"), "trash");
  return action ? html`<div class="button-row">${again}</div>` : null;
}

async function rollBack() {
  const version = packs.value.previous?.version || "";
  const what = { title: t("rollback.title"), lines: [t("rollback.line", { version })], yes: t("setup.roll_back") };
  if (await confirm(what)) await startJob("rollback");
}

// facts

/** @param {{found: any}} props */
function Acceleration({ found }) {
  const { accelerator, jail } = found;
  const active = packs.value.active;
  return html`<section aria-labelledby="tasks-run-title"><h2 id="tasks-run-title" class="section-title">${t("setup.how")}</h2>
    <dl class="facts card">
      <${Fact} icon="box" name=${t("setup.runtime")}>${active ? html`${active.version} · ${active.state_label} <a class="link" href=${href("settings", "packs")}>${t("setup.manage")}</a>` : t("status.no_pack")}</${Fact}>
      <${Fact} icon="bolt" name=${t("setup.acceleration")}>${accelerator ? (accelerator.is_emulated ? html`<${EmulatedBadge} /> ${accelerator.label}` : accelerator.label) : t("setup.unknown")}</${Fact}>
      <${Fact} icon="shield" name=${t("setup.jail")}>${t(jail.is_on ? "jail.on" : "jail.off", { reason: jail.reason })}</${Fact}>
      <${Fact} icon="chip" name=${t("setup.limits")}>${t("setup.limit_words", { machines: found.limits.machine_limit, memory: memory(found.limits.memory_range_mib[1]), cpus: found.limits.cpu_range[1] })}</${Fact}>
    </dl></section>`;
}

/** @param {{found: any}} props */
function Computer({ found }) {
  const facts = found.computer;
  if (!facts) return null;
  return html`<section aria-labelledby="computer-title"><h2 id="computer-title" class="section-title">${t("setup.computer")}</h2>
    <dl class="facts card">
      <${Fact} name=${t("setup.system")}>${facts.os} · ${facts.arch} · ${facts.kernel}</${Fact}>
      <${Fact} name=${t("setup.cpu")}>${facts.cpu} · ${t("setup.cpu_count", { n: facts.cpu_count })}</${Fact}>
      <${Fact} name=${t("setup.memory")}>${t("setup.free_of", { free: memory(facts.memory_free_mib), total: memory(facts.memory_total_mib) })}</${Fact}>
      <${Fact} name=${t("setup.disk")}>${t("setup.free", { free: bytes(facts.disk_free_bytes) })}</${Fact}>
      <${Fact} name=${t("setup.data_dir")}><span class="mono wrap">${found.data_dir}</span></${Fact}>
    </dl></section>`;
}

/** @param {{name: string, icon?: string, children?: any}} props */
export const Fact = ({ name, icon, children }) => html`<div><dt>${icon && html`<${Icon} name=${icon} size=${14} />`}${name}</dt><dd>${children}</dd></div>`;
