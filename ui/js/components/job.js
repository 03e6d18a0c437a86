// @ts-check
/**
 * A pack's job: what it does, how far it is, how long it takes, and what went wrong.
 * In: Job. Out: a card with cancel or try again. Never: a time left that the host did not say.
 */
import { html } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { bytes, duration } from "../format.js";
import { orToast } from "../store.js";
import { t } from "../strings.js";
import { Button, Elapsed, Notice, Progress } from "./controls.js";
import { Prose } from "./prose.js";

/** @param {string} kind @param {Record<string, any>} [params] */
export const startJob = (kind, params = {}) => orToast(call(`pack.${kind}`, params));

/** @param {{job: any, onRetry?: () => void}} props */
export function JobCard({ job, onRetry }) {
  if (job.state === "failed") {
    const actions = onRetry && html`<${Button} size="small" kind="primary" icon="retry" onClick=${onRetry}>${t("action.retry")}</${Button}>`;
    return html`<${Notice} level="error" role="alert" title=${t("job.failed", { what: jobTitle(job), message: job.error?.message || "" })} actions=${actions}>
      <${Prose} text=${job.error?.hint || ""} /></${Notice}>`;
  }
  if (job.state === "cancelled") {
    const actions = onRetry && html`<${Button} size="small" onClick=${onRetry}>${t("job.resume")}</${Button}>`;
    return html`<${Notice} level="info" title=${t("job.cancelled", { what: jobTitle(job) })} actions=${actions}>${t("job.kept")}</${Notice}>`;
  }
  if (job.state === "done") return html`<${Notice} level="good" role="status" title=${t("job.done", { what: jobTitle(job) })}>${job.note}</${Notice}>`;
  return html`<section class="card job" aria-label=${jobTitle(job)}>
    <header><span class="spinner"></span><h3>${jobTitle(job)}</h3><span class="job-phase">${job.phase_label}</span><span class="grow"></span>
      ${job.can_cancel && html`<${Button} size="small" onClick=${() => orToast(call("pack.cancel", { job_id: job.job_id }))}>${t("dialog.cancel")}</${Button}>`}</header>
    <${Progress} label=${job.phase_label} done=${job.done_bytes} total=${job.total_bytes} />
    <footer class="num"><span>${amount(job)}</span>${job.rate_bytes_s ? html`<span>${t("job.rate", { rate: bytes(job.rate_bytes_s) })}</span>` : null}
      ${job.left_s !== null && html`<span>${t("time.left", { time: duration(job.left_s * 1000) })}</span>`}<span class="grow"></span>
      <span>${t("job.since")} <${Elapsed} since=${job.started_ms} /></span></footer>
    ${job.note && html`<p class="hint">${job.note}</p>`}
  </section>`;
}

/** @param {any} job */
const amount = (job) => (job.total_bytes ? t("job.amount", { done: bytes(job.done_bytes), total: bytes(job.total_bytes) }) : job.done_bytes ? bytes(job.done_bytes) : "");

/** @param {any} job */
function jobTitle(job) {
  const key = `job.kind_${job.kind}`;
  const words = t(key);
  return words === key ? job.kind : words;
}
