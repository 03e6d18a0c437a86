// @ts-check
/**
 * The line under the editor: what the agent does, what it has used, how full its context is.
 *
 * In: an AgentPanel. Out: elements; a compaction when asked. Never: a figure that pi did not report.
 */
import { html } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { count, duration, money } from "../../format.js";
import { now, orToast } from "../../store.js";
import { t } from "../../strings.js";

/** Percent of the context window from where the ring warns, and from where it is loud. */
const NEARLY_FULL = 70;
const FULL = 90;
const RING_RADIUS = 6;

/** @param {{session: import("./session.js").TaskSession, abort: () => void}} props */
export function StatusLine({ session, abort }) {
  const agent = session.agent.value;
  const row = session.row.value;
  if (!agent || row.runs_elsewhere || (row.state !== "running" && !row.is_over)) return null;
  const tokens = agent.stats?.tokens;
  return html`<div class="agent-line">
    ${!row.is_over && html`<span class="agent-state ${agent.is_busy ? "busy" : ""}">${agent.is_busy ? html`<i class="spinner"></i>` : html`<${Icon} name="check" size=${12} />`}<span>${agent.label}</span></span>`}
    ${agent.retry && html`<${Retry} retry=${agent.retry} abort=${abort} />`}
    ${agent.is_compacting && html`<span class="agent-part warn" role="status">${t("task.line.compacting")}</span>`}
    ${agent.statuses.map((/** @type {any} */ one) => html`<span class="agent-part guest-status" key=${one.key} title=${t("task.guest.status", { name: one.key })}><${Icon} name="box" size=${11} /><span class="ellipsis">${one.text}</span></span>`)}
    ${agent.odd_lines > 0 && html`<span class="agent-part warn" title=${t("task.line.odd_meaning")}>${t("task.line.odd", { n: agent.odd_lines })}</span>`}
    <span class="grow"></span>
    ${tokens && html`<span class="agent-part num" title=${t("task.line.tokens_meaning", tokens)}>
      <span>↑ ${count(tokens.input)}</span><span>↓ ${count(tokens.output)}</span>${tokens.cache_read > 0 && html`<span>⟲ ${count(tokens.cache_read)}</span>`}</span>`}
    ${agent.stats && html`<span class="agent-part num" title=${t("task.line.cost")}>${money(agent.stats.cost_usd)}</span>`}
    <${ContextRing} context=${agent.stats?.context} />
    ${!row.is_over && html`<${Compact} session=${session} agent=${agent} />`}
  </div>`;
}

/** @param {{retry: any, abort: () => void}} props */
const Retry = ({ retry, abort }) =>
  html`<span class="agent-part warn" role="status" title=${retry.error}><${Icon} name="retry" size=${12} />
    ${t("task.line.retry", { attempt: retry.attempt, max: retry.max_attempts, time: duration(Math.max(0, retry.until_ms - now.value)) })}
    <button type="button" class="text-button" onClick=${abort}>${t("task.line.retry_stop")}</button></span>`;

/** @param {{context: any}} props */
export function ContextRing({ context }) {
  if (!context || context.percent === null) return null;
  const percent = Math.max(0, Math.min(100, context.percent));
  const level = percent >= FULL ? "full" : percent >= NEARLY_FULL ? "nearly" : "";
  const round = 2 * Math.PI * RING_RADIUS;
  const label = t(level ? "task.line.context_full" : "task.line.context", { percent: Math.round(percent), tokens: count(context.tokens), window: count(context.window) });
  return html`<span class="agent-part context ${level}" title=${label}>
    <svg width="16" height="16" viewBox="0 0 16 16" role="img" aria-label=${label}>
      <circle class="ring-all" cx="8" cy="8" r=${RING_RADIUS} /><circle class="ring-used" cx="8" cy="8" r=${RING_RADIUS}
        stroke-dasharray="${(round * percent) / 100} ${round}" transform="rotate(-90 8 8)" /></svg>
    <span class="num">${Math.round(percent)} %</span></span>`;
}

/** @param {{session: import("./session.js").TaskSession, agent: any}} props */
function Compact({ session, agent }) {
  const isWorth = (agent.stats?.context?.percent ?? 0) >= NEARLY_FULL;
  const compact = () => orToast(call("agent.compact", { task_id: session.taskId, instructions: "" }));
  return html`<${Button} size="small" kind=${isWorth ? "plain" : "quiet"} onClick=${compact} title=${t("task.line.compact_meaning")}
    disabled=${agent.is_compacting || agent.state === "starting" || agent.state === "exited"}>${t("task.line.compact")}</${Button}>`;
}
