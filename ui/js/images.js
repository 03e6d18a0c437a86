// @ts-check
/**
 * Images for a prompt: from the clipboard, a drop or a file to small bytes, and on to the host in parts.
 *
 * In: File objects. Out: {mime, bytes, preview, name}, blob ids. Never: an SVG, an original that is larger than pi uses.
 */
import { BridgeError, call } from "./bridge.js";
import { t } from "./strings.js";

export const IMAGE_LIMIT = 8;
/** Of all images of one prompt together; the host refuses more (domain/prompt_images.py). */
export const IMAGES_LIMIT_BYTES = 3 * 1024 * 1024;
const SIDE_LIMIT = 1568;
const KEEP_BYTES = 200 * 1024;
const PREVIEW_SIDE = 160;
const PART_CHARS = 180 * 1024; // a multiple of four, so that each part is base64 by itself
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** @typedef {{mime: string, data: string, sizeBytes: number, preview: string, name: string}} PromptImage `data` is base64 */

/** The images among dropped or pasted things. @param {DataTransfer | null} transfer @returns {File[]} */
export const imageFiles = (transfer) => [...(transfer?.files || [])].filter((file) => file.type.startsWith("image/"));

/**
 * Read and shrink. Raises BridgeError with words for a person.
 * @param {File} file @returns {Promise<PromptImage>}
 */
export async function readImage(file) {
  if (!TYPES.includes(file.type)) throw new BridgeError({ code: "image.kind", message: t("image.kind", { name: file.name }) });
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new BridgeError({ code: "image.broken", message: t("image.broken", { name: file.name }) });
  }
  const isSmall = file.size <= KEEP_BYTES && Math.max(bitmap.width, bitmap.height) <= SIDE_LIMIT && file.type !== "image/gif";
  const blob = isSmall ? file : await shrink(bitmap, SIDE_LIMIT);
  const preview = draw(bitmap, PREVIEW_SIDE).toDataURL("image/jpeg", 0.8);
  bitmap.close();
  return { mime: blob.type, data: await toBase64(blob), sizeBytes: blob.size, preview, name: file.name || t("image.pasted") };
}

/** @param {ImageBitmap} bitmap @param {number} side */
function draw(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** @param {ImageBitmap} bitmap @param {number} side @returns {Promise<Blob>} */
async function shrink(bitmap, side) {
  const canvas = draw(bitmap, side);
  const fits = IMAGES_LIMIT_BYTES / IMAGE_LIMIT;
  for (const quality of [0.88, 0.75, 0.6]) {
    const blob = await encode(canvas, quality);
    if (blob.size <= fits) return blob;
  }
  return side > 640 ? shrink(bitmap, Math.round(side * 0.7)) : encode(canvas, 0.6);
}

/** @param {HTMLCanvasElement} canvas @param {number} quality @returns {Promise<Blob>} */
const encode = (canvas, quality) =>
  new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no image"))), "image/jpeg", quality));

/** @param {Blob} blob @returns {Promise<string>} */
export function toBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * Hand base64 to the host in parts. @param {string} data @returns {Promise<string>} the blob's id
 */
export async function addBlob(data) {
  let made = await call("blob.add", { data_b64: data.slice(0, PART_CHARS) });
  for (let at = PART_CHARS; at < data.length; at += PART_CHARS) {
    made = await call("blob.add", { data_b64: data.slice(at, at + PART_CHARS), blob_id: made.blob_id });
  }
  return made.blob_id;
}

/** @param {PromptImage[]} images @returns {Promise<{blob_id: string, mime: string}[]>} what task.create and agent.send take */
export async function addImages(images) {
  const added = [];
  for (const image of images) added.push({ blob_id: await addBlob(image.data), mime: image.mime });
  return added;
}
