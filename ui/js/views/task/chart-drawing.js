// @ts-check
/**
 * A ChartView as SVG: states, lines, the way taken. Colours are those of ui/chart.css.
 *
 * In: a ChartView, a Moment. Out: elements; a choice of a line or a state. Never: a layout of its own.
 */
import { html, useLayoutEffect, useRef } from "/vendor/preact.js";
import { shortDuration } from "../../format.js";
import { t } from "../../strings.js";
import { stepsOf } from "./diagram-trace.js";

const ZOOM_STEP = 1.25;
const MAX_ZOOM = 6;
const MARGIN = 16;
const PAN_STEP = 48;
/** Below this the words cannot be read: then the first look is a part of the drawing, at READING_SCALE. */
const LEAST_SCALE = 0.55;
const READING_SCALE = 0.85;
const DRAG_PX = 4;
const MAX_BADGE_NUMBERS = 4;

/** @typedef {import("./diagram-trace.js").Moment} Moment */

/**
 * @param {{view: any, moment: Moment|null, liveMs: number, chosen: any, choose: (what: any) => void, label: string, control: {current: any}}} props
 */
export function ChartDrawing({ view, moment, liveMs, chosen, choose, label, control }) {
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  const whole = frameOf(view);
  const here = view.boxes.find((/** @type {any} */ box) => box.state === moment?.current) ?? view.boxes[0];
  useZoom(svg, whole, here, control, `${view.chart}/${view.width}/${view.height}`);
  const taken = new Map(view.wires.map((/** @type {any} */ wire) => [wire, moment ? stepsOf(wire, moment.steps) : []]));
  const order = [...view.wires].sort((a, b) => Number(taken.get(a).length > 0) - Number(taken.get(b).length > 0) || Number(b.is_quiet) - Number(a.is_quiet));
  return html`<svg ref=${svg} class="chart live ${moment ? "traced" : ""}" role="group" aria-label=${label} tabindex="0">
    <circle class="start" cx=${view.start.x} cy=${view.start.y - 25} r="5" />
    <g class="wire"><path d="M${view.start.x} ${view.start.y - 20}V${view.start.y - 7}" /><polygon class="tip" points="${view.start.x},${view.start.y} ${view.start.x - 4.2},${view.start.y - 7} ${view.start.x + 4.2},${view.start.y - 7}" /></g>
    ${order.map((wire) => html`<${Wire} key=${keyOf(wire)} wire=${wire} steps=${taken.get(wire)} isChosen=${chosen?.wire === keyOf(wire)} choose=${choose} />`)}
    ${view.wires.map((/** @type {any} */ wire) => wire.label && html`<${Label} key=${keyOf(wire)} wire=${wire} lineHeight=${view.line_height} choose=${choose} isTaken=${isLaneTaken(wire, view.wires, taken)} />`)}
    ${view.boxes.map((/** @type {any} */ box) => html`<${Box} key=${box.state} box=${box} moment=${moment} liveMs=${liveMs} isChosen=${chosen?.state === box.state} choose=${choose} />`)}
    ${view.wires.map((/** @type {any} */ wire) => taken.get(wire).length > 0 && html`<${Badge} key=${keyOf(wire)} wire=${wire} steps=${taken.get(wire)} choose=${choose} />`)}
  </svg>`;
}

/** @param {any} wire */
export const keyOf = (wire) => `${wire.source}>${wire.target}:${wire.triggers.map((/** @type {any} */ one) => one.trigger).join()}`;

/** The drawing without the room that the standalone picture has for its heading. @param {any} view */
function frameOf(view) {
  const top = Math.min(view.start.y - 32, ...view.boxes.map((/** @type {any} */ box) => box.y)) - MARGIN / 2;
  return { x: 0, y: top, width: view.width, height: view.height - top };
}

/** A label speaks for a whole lane: it is lit when any line of that lane was taken. @param {any} wire @param {any[]} wires @param {Map<any, any[]>} taken */
function isLaneTaken(wire, wires, taken) {
  return wires.some((other) => other.target === wire.target && (other === wire || (other.spoken_by === wire.source && !other.label)) && (taken.get(other) ?? []).length > 0);
}

/** @param {{wire: any, steps: any[], isChosen: boolean, choose: (what: any) => void}} props */
function Wire({ wire, steps, isChosen, choose }) {
  const isTaken = steps.length > 0;
  const triggers = wire.triggers.map((/** @type {any} */ one) => one.trigger).join(", ");
  const act = () => choose({ wire: keyOf(wire) });
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  };
  return html`<g class="wire ${wire.is_quiet ? "quiet" : ""} ${isTaken ? "taken" : "untaken"} ${isChosen ? "chosen" : ""}" role="button" tabindex=${isTaken ? 0 : -1}
    aria-label=${t("task.diagram.wire", { source: wire.source, target: wire.target, triggers })} onClick=${act} onKeyDown=${keydown}>
    <path class="hit" d=${wire.path} /><path d=${wire.path} /><polygon class="tip" points=${wire.tip} /></g>`;
}

/** @param {{wire: any, isTaken: boolean, lineHeight: number, choose: (what: any) => void}} props */
const Label = ({ wire, isTaken, lineHeight, choose }) =>
  html`<g class="wire ${wire.is_quiet ? "quiet" : ""} ${isTaken ? "taken" : "untaken"}" text-anchor=${wire.label.anchor} aria-hidden="true" onClick=${() => choose({ wire: keyOf(wire) })}>
    ${wire.label.lines.map((/** @type {string} */ line, /** @type {number} */ index) => html`<text class="label" x=${wire.label.x} y=${wire.label.y + lineHeight * index}>${line}</text>`)}</g>`;

/** @param {{box: any, moment: Moment|null, liveMs: number, isChosen: boolean, choose: (what: any) => void}} props */
function Box({ box, moment, liveMs, isChosen, choose }) {
  const isCurrent = moment?.current === box.state;
  const visits = moment?.visits[box.state] ?? 0;
  const kinds = ["state", ...box.tags, box.is_final && "final", isCurrent && "current", moment && !visits && "unvisited", isChosen && "chosen"];
  const act = () => choose({ state: box.state });
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  };
  const inset = (/** @type {number} */ by) => ({ x: box.x + by, y: box.y + by, width: box.width - 2 * by, height: box.height - 2 * by });
  return html`<g class=${kinds.filter(Boolean).join(" ")} role="button" tabindex="0" aria-label="${box.label}${isCurrent ? ` (${t("task.diagram.live")})` : ""}" onClick=${act} onKeyDown=${keydown}>
    <title>${box.description}</title>
    ${isCurrent && html`<rect class="halo" ...${inset(-3)} rx="13" />`}
    <rect class="card" ...${inset(0)} rx="10" />
    ${box.is_final ? html`<rect class="inner" ...${inset(4)} rx="7" />` : html`<rect class="stripe" x=${box.x + 7} y=${box.y + 9} width="4" height=${box.height - 18} rx="2" />`}
    <text class="label" x=${box.x + 20} y=${box.y + 24}>${box.label}</text><text class="name" x=${box.x + 20} y=${box.y + 42}>${box.state}</text>
    <${Details} box=${box} />
    ${visits > 0 && !box.is_final && html`<text class="spent" x=${box.x + box.width - 14} y=${box.y + 42}>${spentText(moment, box.state, visits, isCurrent ? liveMs : 0)}</text>`}
  </g>`;
}

/** @param {{box: any}} props */
function Details({ box }) {
  const y = box.y + 63;
  const timeout = box.timeout_ms === null ? "" : timeoutText(box.timeout_ms);
  const x = box.x + box.width - 18 - timeout.length * 6.6;
  return html`${box.activity && html`<path class="glyph solid" d="M${box.x + 20} ${y - 8}l7 4.2l-7 4.2z" /><text class="detail mono" x=${box.x + 33} y=${y}>${box.activity}</text>`}
    ${timeout && html`<circle class="glyph" cx=${x - 9} cy=${y - 4} r="4.6" /><path class="glyph" d="M${x - 9} ${y - 6.6}v2.6h2" /><text class="detail" x=${x} y=${y}>${timeout}</text>`}`;
}

/** In the largest unit that divides it. @param {number} ms */
export function timeoutText(ms) {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** @param {Moment|null} moment @param {string} state @param {number} visits @param {number} liveMs */
function spentText(moment, state, visits, liveMs) {
  const spent = shortDuration(Math.max(liveMs, moment?.spent[state] ?? 0));
  return visits === 1 ? spent : `${t("task.diagram.visit_count", { n: visits })} · ${spent}`;
}

/** @param {{wire: any, steps: any[], choose: (what: any) => void}} props */
function Badge({ wire, steps, choose }) {
  const text = steps.slice(0, MAX_BADGE_NUMBERS).map((step) => step.number).join(",") + (steps.length > MAX_BADGE_NUMBERS ? "…" : "");
  const width = Math.max(17, 7 * text.length + 9);
  const { x, y } = wire.badge;
  return html`<g class="badge-mark badge" aria-hidden="true" onClick=${() => choose({ wire: keyOf(wire) })}><rect x=${x - width / 2} y=${y - 8.5} width=${width} height="17" rx="8.5" /><text x=${x} y=${y + 4}>${text}</text></g>`;
}

/**
 * What is seen at first: all of it, or in a small window the part around the state where the task is.
 * @param {SVGSVGElement} node @param {{x: number, y: number, width: number, height: number}} whole @param {any} here a box
 */
function firstLook(node, whole, here) {
  const { width, height } = node.getBoundingClientRect();
  const scale = Math.min(width / whole.width, height / whole.height);
  if (!here || !scale || scale >= LEAST_SCALE) return { ...whole };
  const [wide, high] = [width / READING_SCALE, height / READING_SCALE];
  const within = (/** @type {number} */ at, /** @type {number} */ low, /** @type {number} */ room, /** @type {number} */ size) =>
    room >= size ? low + (size - room) / 2 : Math.max(low, Math.min(low + size - room, at - room / 2));
  return {
    x: within(here.x + here.width / 2, whole.x, wide, whole.width),
    y: within(here.y + here.height / 2, whole.y, high, whole.height),
    width: wide,
    height: high,
  };
}

/**
 * The part of the drawing that is seen: wheel and drag, + − 0 and arrows, and `control` for buttons.
 * @param {any} svg @param {{x: number, y: number, width: number, height: number}} whole @param {any} here the box of the current state
 * @param {{current: any}} control @param {string} key a new drawing is looked at anew
 */
function useZoom(svg, whole, here, control, key) {
  useLayoutEffect(() => {
    const node = svg.current;
    let seen = firstLook(node, whole, here);
    const show = () => node.setAttribute("viewBox", `${seen.x} ${seen.y} ${seen.width} ${seen.height}`);
    const zoom = (/** @type {number} */ by, x = seen.x + seen.width / 2, y = seen.y + seen.height / 2) => {
      const width = Math.min(whole.width * 1.5, Math.max(whole.width / MAX_ZOOM, seen.width / by));
      const factor = width / seen.width;
      seen = { x: x - (x - seen.x) * factor, y: y - (y - seen.y) * factor, width, height: seen.height * factor };
      show();
    };
    const pan = (/** @type {number} */ x, /** @type {number} */ y) => {
      seen = { ...seen, x: seen.x + x, y: seen.y + y };
      show();
    };
    const fit = () => {
      seen = { ...whole };
      show();
    };
    control.current = { zoomIn: () => zoom(ZOOM_STEP), zoomOut: () => zoom(1 / ZOOM_STEP), fit };
    show();
    return listen(node, { zoom, pan, fit });
  }, [key]);
}

/** @param {SVGSVGElement} node @param {{zoom: (by: number, x?: number, y?: number) => void, pan: (x: number, y: number) => void, fit: () => void}} view */
function listen(node, { zoom, pan, fit }) {
  const scale = () => 1 / (node.getScreenCTM()?.a || 1);
  const wheel = (/** @type {WheelEvent} */ event) => {
    event.preventDefault();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM()?.inverse());
    zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1, at.x, at.y);
  };
  /** @type {{x: number, y: number, isDragging: boolean}|null} */
  let held = null;
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button === 0) held = { x: event.clientX, y: event.clientY, isDragging: false };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!held) return;
    const [x, y] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.isDragging && Math.hypot(x, y) < DRAG_PX) return;
    if (!held.isDragging) node.setPointerCapture(event.pointerId);
    held = { x: event.clientX, y: event.clientY, isDragging: true };
    pan(-x * scale(), -y * scale());
  };
  const up = () => {
    held = null;
  };
  const keydown = (/** @type {KeyboardEvent} */ event) => {
    /** @type {Record<string, () => void>} */
    const acts = { "+": () => zoom(ZOOM_STEP), "=": () => zoom(ZOOM_STEP), "-": () => zoom(1 / ZOOM_STEP), 0: fit, ArrowLeft: () => pan(-PAN_STEP, 0), ArrowRight: () => pan(PAN_STEP, 0), ArrowUp: () => pan(0, -PAN_STEP), ArrowDown: () => pan(0, PAN_STEP) };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  /** @type {[string, any, any?][]} */
  const all = [["wheel", wheel, { passive: false }], ["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", up], ["keydown", keydown]];
  for (const [name, act, how] of all) node.addEventListener(name, act, how);
  return () => all.forEach(([name, act]) => node.removeEventListener(name, act));
}
