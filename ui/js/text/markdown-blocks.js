// @ts-check
/**
 * A growing markdown text cut into blocks that will not change any more (frozen) and the tail that still may.
 *
 * In: the text so far, again and again; a lexer (marked's). Out: newly frozen tokens, the tail's tokens.
 * Never: the DOM, HTML. A frozen block is never lexed again, so the cost of a frame is that of the tail.
 */

/** The tail must have grown this far past a block before the block counts as closed: "-" may become a list item. */
const SETTLED_CHARS = 4;

/** @typedef {{type: string, raw: string, [key: string]: any}} Token */

export class BlockStream {
  /** @param {(text: string) => Token[]} lex tokens whose `raw` add up to the text */
  constructor(lex) {
    this.lex = lex;
    this.frozenChars = 0;
  }

  /** Begin anew: the text was replaced. */
  reset() {
    this.frozenChars = 0;
  }

  /**
   * @param {string} text the whole text so far; begins with what was frozen
   * @param {boolean} isFinal nothing follows
   * @returns {{frozen: Token[], tail: Token[]}} `frozen` only what became so by this call
   */
  push(text, isFinal) {
    const tokens = this.lex(text.slice(this.frozenChars));
    const count = isFinal ? tokens.length : closedCount(tokens);
    const frozen = tokens.slice(0, count);
    for (const token of frozen) this.frozenChars += token.raw.length;
    return { frozen, tail: tokens.slice(count) };
  }
}

/**
 * How many leading tokens can no longer be changed by more text.
 * @param {Token[]} tokens
 */
function closedCount(tokens) {
  let last = tokens.length - 1;
  while (last >= 0 && tokens[last].type === "space") last -= 1;
  if (last <= 0) return 0;
  const raw = tokens[last].raw;
  if (raw.includes("\n") || raw.trim().length >= SETTLED_CHARS) return last;
  while (last > 0 && tokens[last - 1].type === "space") last -= 1;
  return Math.max(0, last - 1);
}

/**
 * Is this token a fenced code block whose closing fence has not come yet?
 * @param {Token} token
 */
export function isOpenFence(token) {
  if (token.type !== "code") return false;
  const open = /^ {0,3}(`{3,}|~{3,})/.exec(token.raw);
  if (!open) return false;
  const lines = token.raw.trimEnd().split("\n");
  const close = lines[lines.length - 1].trim();
  return lines.length < 2 || !(close.startsWith(open[1]) && /^(`+|~+)$/.test(close));
}
