// @ts-check
/**
 * The conversation: the way to the running machine, the transcript, what the guest shows, the editor.
 *
 * In: a TaskSession. Out: the tab. Never: a transcript built anew when the person comes back to it.
 */
import { html, useCallback, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../../bridge.js";
import { Button, Elapsed, Notice, Skeleton } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { shortDuration } from "../../format.js";
import { href } from "../../router.js";
import { orToast, toast } from "../../store.js";
import { t } from "../../strings.js";
import { taskActions } from "../../actions.js";
import { childrenOf } from "../../family.js";
import { BranchEditor, branchAt } from "./branch.js";
import { Composer, OutcomeBar } from "./composer.js";
import { withQueue } from "./composer-text.js";
import { ContinueEditor } from "./continue.js";
import { FindBar } from "./find-bar.js";
import { Finder } from "./finder.js";
import { GuestPanel, GuestWidgets } from "./guest-panel.js";
import { StatusLine } from "./status-line.js";
import { Transcript } from "./transcript.js";

/** @typedef {import("./session.js").TaskSession} TaskSession */

/** The transcript of a session, made once and kept with it. @param {TaskSession} session @returns {Transcript} */
function transcriptOf(session) {
  const kept = session.keep.get("transcript");
  if (kept) return kept;
  const host = {
    loadEarlier: () => session.loadEarlier(),
    earlierKeys: () => session.row.value?.earlier_keys ?? 0,
    branch: (/** @type {any} */ entry) => (session.branch.value = branchAt(session.taskId, entry)),
    openLink: (/** @type {number} */ key, /** @type {number} */ index, /** @type {string} */ address) => openLink(session, key, index, address),
  };
  const made = new Transcript(session.log, host);
  session.keep.set("transcript", made);
  return made;
}

/** @param {TaskSession} session @returns {Finder} */
function finderOf(session) {
  if (!session.keep.has("finder")) session.keep.set("finder", new Finder(session, transcriptOf(session)));
  return session.keep.get("finder");
}

/** The host asks natively with the address it parsed itself. @param {TaskSession} session @param {number} key @param {number} index @param {string} address */
function openLink(session, key, index, address) {
  if (index < 0) toast("warning", t("task.link.not_yet"), address);
  else orToast(call("link.open", { task_id: session.taskId, entry_key: String(key), index }));
}

/** @param {{session: TaskSession, row: any}} props */
export function Conversation({ session, row }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [unseen, setUnseen] = useState(0);
  const [isAway, setAway] = useState(false);
  const transcript = transcriptOf(session);
  useEffect(() => {
    if (!place.current) return undefined;
    transcript.onUnseen = setUnseen;
    transcript.onStick = (isStuck) => setAway(!isStuck);
    transcript.attach(place.current);
    setUnseen(transcript.unseen);
    setAway(!transcript.isStuck);
    return () => transcript.detach();
  }, [transcript]);
  const branch = session.branch.value;
  const children = childrenOf.value.get(row.task_id);
  useEffect(() => transcript.setBranches(row.can_branch === true, branch?.key ?? 0, children ?? []), [row.can_branch, branch?.key, children]);
  useEffect(() => {
    // once the editor has taken its room: what is written anew stays in view
    if (branch) requestAnimationFrame(() => transcript.show(branch.key));
  }, [branch?.key]);
  const abort = useCallback(() => abortRun(session), [session]);
  const isLoading = session.phase.value === "opening";
  return html`
    <${FindBar} finder=${finderOf(session)} back=${() => transcript.element.focus({ preventScroll: true })} />
    <div class="log-place"><div class="log-holder" ref=${place}></div>
      ${!isLoading && !session.hasEntries.value && html`<${Unsaid} session=${session} />`}
      ${isLoading && html`<div class="log-loading"><${Skeleton} lines=${5} /></div>`}
      ${(isAway || unseen > 0) && html`<button type="button" class="to-end" onClick=${() => transcript.stick()}><${Icon} name="down" size=${13} />${unseen ? t("task.log.new", { n: unseen }) : t("task.log.to_end")}</button>`}
    </div>
    <${Way} session=${session} row=${row} />
    <div class="dock">
      <${GuestPanel} session=${session} />
      <${GuestWidgets} session=${session} placement="above" />
      ${branch ? html`<${BranchEditor} key=${branch.key} session=${session} branch=${branch} row=${row} />` : row.is_over ? html`<${OutcomeBar} row=${row} />${row.can_continue && html`<${ContinueEditor} session=${session} />`}` : row.runs_elsewhere ? html`<${Elsewhere} />` : html`<${Composer} session=${session} onSent=${() => transcript.stick()} abort=${abort} />`}
      <${GuestWidgets} session=${session} placement="below" />
      <${StatusLine} session=${session} abort=${abort} />
    </div>`;
}

/** Stop the run; what was queued comes back into the editor. @param {TaskSession} session */
async function abortRun(session) {
  const done = await orToast(call("agent.abort", { task_id: session.taskId }));
  if (done) session.draft.value = withQueue(done.queue, session.draft.value);
}

/** In place of the editor: what is said comes with the files of the task, a few seconds later. */
const Elsewhere = () => html`<div class="outcome plain" role="status"><${Icon} name="info" /><div class="outcome-text"><strong>${t("task.elsewhere")}</strong><p class="hint">${t("task.elsewhere.text")}</p></div></div>`;

// before pi is there

/** The prompt, as long as pi has not heard it. @param {{session: TaskSession}} props */
function Unsaid({ session }) {
  const prompt = session.detail.value?.prompt;
  return prompt ? html`<div class="unsaid"><div class="entry kind-user"><div class="bubble"><div class="user-text">${prompt}</div></div></div></div>` : null;
}

const STAGES = ["preflight", "overlay-prep", "qemu-launch", "handshake"];

/** The stages up to the running machine, each with its time; or what has to be set up. @param {{session: TaskSession, row: any}} props */
function Way({ session, row }) {
  if (row.state === "setup-required") return html`<${SetUp} session=${session} row=${row} />`;
  if (row.state === "created") return html`<div class="way"><p>${t("task.way.created")}</p></div>`;
  if (row.state === "teardown") return html`<div class="way" role="status"><p><i class="spinner"></i> ${row.state_label} <${Elapsed} since=${row.state_since_ms} /></p></div>`;
  if (!STAGES.includes(row.state)) return null;
  const visits = session.detail.value?.visits ?? [];
  return html`<ol class="way" aria-label=${t("task.way.label")}>${STAGES.map((stage) => html`<${Stage} key=${stage} stage=${stage} row=${row} visits=${visits} />`)}</ol>`;
}

/** @param {{stage: string, row: any, visits: any[]}} props */
function Stage({ stage, row, visits }) {
  const at = visits.findLastIndex((one) => one.state === stage);
  const isHere = row.state === stage;
  const isDone = !isHere && at >= 0 && STAGES.indexOf(stage) < STAGES.indexOf(row.state);
  const left = visits[at + 1]?.entered_ms;
  return html`<li class=${isHere ? "here" : isDone ? "done" : ""} aria-current=${isHere ? "step" : undefined}>
    ${isHere ? html`<i class="spinner"></i>` : html`<${Icon} name=${isDone ? "check" : "clock"} size=${13} />`}<span>${t(`task.way.${stage}`)}</span>
    ${isHere && html`<${Elapsed} since=${row.state_since_ms} />`}${isDone && left && html`<span class="num">${shortDuration(left - visits[at].entered_ms)}</span>`}</li>`;
}

/** @param {{session: TaskSession, row: any}} props */
function SetUp({ session, row }) {
  const findings = session.detail.value?.findings ?? [];
  const retry = taskActions(row).find((one) => one.id === "retry" && !one.disabled);
  const level = (/** @type {string} */ severity) => ({ blocker: "error", warning: "warning" })[severity] ?? "info";
  return html`<div class="way-setup"><h2>${t("task.setup.title")}</h2>
    ${findings.map((/** @type {any} */ one) => html`<${Notice} key=${one.code} level=${level(one.severity)} title=${one.title}>${one.message} ${one.hint}</${Notice}>`)}
    <p class="way-actions"><a class="button" href=${href("setup")}>${t("task.setup.go")}</a>${retry && html`<${Button} kind="primary" icon="retry" onClick=${retry.run}>${retry.label}</${Button}>`}</p></div>`;
}
