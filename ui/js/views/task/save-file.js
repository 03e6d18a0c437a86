// @ts-check
/**
 * Something the page made, kept as a file: the host asks where.
 *
 * In: a blob and a name. Out: the name it was saved under. Never: a path, a download.
 */
import { call } from "../../bridge.js";
import { addBlob, toBase64 } from "../../images.js";

/**
 * @param {Blob} blob @param {string} name
 * @returns {Promise<string|null>} null when the person gave up
 */
export async function saveFile(blob, name) {
  const blob_id = await addBlob(await toBase64(blob));
  const reply = await call("file.save", { blob_id, name });
  return reply.saved;
}
