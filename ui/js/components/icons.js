// @ts-check
/**
 * Small drawn icons on a 16 × 16 grid, in the colour of the text around them. In: a name. Out: SVG. Never: a picture file.
 */
import { html } from "/vendor/preact.js";

/** Stroked paths; `fill:` in front means a filled one. @type {Record<string, string[]>} */
const SHAPES = {
  plus: ["M8 3v10M3 8h10"],
  minus: ["M3 8h10"],
  search: ["M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14 14"],
  settings: [
    "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z",
    "M8 1.8v1.9M8 12.3v1.9M14.2 8h-1.9M3.7 8H1.8M12.4 3.6 11 5M5 11l-1.4 1.4M12.4 12.4 11 11M5 5 3.6 3.6",
  ],
  list: ["M5.5 4H14M5.5 8H14M5.5 12H14", "M2.3 4h.4M2.3 8h.4M2.3 12h.4"],
  check: ["m3 8.5 3.3 3.3L13 4.8"],
  cross: ["m4 4 8 8M12 4l-8 8"],
  warning: ["M8 2.2 14.3 13H1.7L8 2.2Z", "M8 6.5v3M8 11.3v.2"],
  info: ["M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z", "M8 7.4V11M8 5v.2"],
  blocked: ["M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.9 3.9l8.2 8.2"],
  folder: ["M1.8 4.2c0-.7.5-1.2 1.2-1.2h3l1.5 1.7H13c.7 0 1.2.5 1.2 1.2v6c0 .7-.5 1.2-1.2 1.2H3c-.7 0-1.2-.5-1.2-1.2v-7.7Z"],
  lock: ["M4 7.2h8c.5 0 .9.4.9.9v4.5c0 .5-.4.9-.9.9H4a.9.9 0 0 1-.9-.9V8.1c0-.5.4-.9.9-.9Z", "M5.4 7V5a2.6 2.6 0 0 1 5.2 0v2"],
  pencil: ["m10.6 3.2 2.2 2.2L5.6 12.6l-2.9.7.7-2.9 7.2-7.2Z"],
  play: ["fill:M5 3.2v9.6L12.6 8 5 3.2Z"],
  stop: ["fill:M4.2 4.2h7.6v7.6H4.2z"],
  retry: ["M13.2 8A5.2 5.2 0 1 1 11.4 4", "M13.4 1.8v2.9h-2.9"],
  again: ["M3 6.2h7.2a3 3 0 0 1 0 6H6", "M5.6 3.4 2.8 6.2l2.8 2.8"],
  trash: ["M2.8 4.4h10.4M6.3 4.2V2.6h3.4v1.6M4.2 4.6l.6 8.8h6.4l.6-8.8M6.8 7v4M9.2 7v4"],
  chevron: ["m6 3.8 4.2 4.2L6 12.2"],
  up: ["m3.800 10 4.200-4.200L12.200 10"],
  down: ["m3.8 6 4.2 4.2L12.2 6"],
  more: ["fill:M3.5 9.3a1.3 1.3 0 1 0 0-2.6 1.3 1.3 0 0 0 0 2.6ZM8 9.3a1.3 1.3 0 1 0 0-2.6 1.3 1.3 0 0 0 0 2.6ZM12.5 9.3a1.3 1.3 0 1 0 0-2.6 1.3 1.3 0 0 0 0 2.6Z"],
  question: ["M5.6 6.1A2.4 2.4 0 0 1 8 3.8c1.4 0 2.5.9 2.5 2.2 0 1.8-2.4 1.9-2.4 3.6", "M8.1 12.2v.2"],
  turn: ["M2.5 4.2c0-.7.5-1.2 1.2-1.2h8.6c.7 0 1.2.5 1.2 1.2v5.6c0 .7-.5 1.2-1.2 1.2H7.4L4.5 13.4V11h-.8c-.7 0-1.2-.5-1.2-1.2V4.2Z"],
  network: ["M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2.2 8h11.6M8 2c2 1.8 2.7 3.9 2.7 6S10 12.2 8 14c-2-1.8-2.7-3.9-2.7-6S6 3.8 8 2Z"],
  offline: ["M2.5 2.5 13.5 13.5", "M3.4 4.800A6 6 0 0 0 11.2 12.600M5.4 2.600a6 6 0 0 1 8 8"],
  chip: ["M4.5 4.500h7v7h-7z", "M6.3 4.300V2M9.7 4.300V2M6.3 14v-2.300M9.7 14v-2.300M4.3 6.300H2M4.3 9.700H2M14 6.300h-2.300M14 9.700h-2.3"],
  disk: ["M2.2 9.5 4 3.500h8l1.8 6v3H2.200v-3ZM2.4 9.500h11.200M11 11.200h.5"],
  clock: ["M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z", "M8 4.700V8l2.3 1.5"],
  image: ["M2.5 3.500h11v9h-11z", "m2.7 11 3.2-3.2 2.7 2.7 1.7-1.7 3 3", "M10.5 6.200h.01"],
  key: ["M10.3 9.200a3.5 3.5 0 1 0-3.3-2.300L2.5 11.400v2.100h2.100l.2-1.5 1.5-.2.2-1.5 1.4-1.300c.7.4 1.5.500 2.4.200Z", "M10.9 5.200h.01"],
  download: ["M8 2.500v7M5 6.800l3 3 3-3M2.8 12.800h10.4"],
  upload: ["M8 9.800v-7M5 5.500l3-3 3 3M2.8 12.800h10.4"],
  palette: ["M3 4.500h10M3 8h6M3 11.500h8"],
  external: ["M9 2.800h4.200V7M13 3 7.5 8.500M11.5 9.500v3.700H2.800V4.500h3.7"],
  copy: ["M5.5 5.500h7.700v7.700H5.500z", "M3.7 10.500H2.800V2.800h7.700v.9"],
  send: ["M8 13V3.500M4 7.200l4-4 4 4"],
  shield: ["M8 1.9 13.2 4v3.700c0 3-2 5.4-5.2 6.5-3.2-1.1-5.2-3.5-5.2-6.500V4L8 1.900Z"],
  bolt: ["M8.8 1.8 3.5 9h4l-.600 5.200L12.5 7h-4l.3-5.200Z"],
  spark: ["M8 2v3.200M8 10.800V14M2 8h3.200M10.8 8H14M4 4l2 2M10 10l2 2M12 4l-2 2M6 10l-2 2"],
  box: ["M8 1.9 13.6 5v6L8 14.1 2.4 11V5L8 1.900ZM2.6 5.1 8 8.100l5.4-3M8 8.100v5.8"],
  diff: ["M8 3v6M5 6h6M5 12.500h6"],
  chart: ["M2.5 3h4v3h-4zM9.5 10h4v3h-4zM4.5 6.200v5.300h4.800M6.7 4.500h4.800v5.3"],
  branch: ["M5 6.200v7M5 6.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400ZM11.500 7.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400ZM11.500 7.200c0 2.600-1.800 3.600-6.500 3.600"],
  pulse: ["M1.8 8.500h2.700l1.7-5 3 9 1.7-4h3.3"],
};

/** @param {{name: string, size?: number, label?: string}} props `label` only where no text stands beside it */
export function Icon({ name, size = 16, label = "" }) {
  const shapes = Object.hasOwn(SHAPES, name) ? SHAPES[name] : SHAPES.info;
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" role=${label ? "img" : undefined}
    aria-label=${label || undefined} aria-hidden=${label ? undefined : "true"}>
    ${shapes.map((shape) =>
      shape.startsWith("fill:")
        ? html`<path d=${shape.slice(5)} fill="currentColor" />`
        : html`<path d=${shape} fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" />`,
    )}
  </svg>`;
}
