// @ts-check
/**
 * The heights of a long list of rows and where each begins: the maths of the virtualised transcript.
 *
 * In: heights in px, guessed or measured. Out: offsets, the row at an offset; both in O(log n).
 * Never: the DOM. A Fenwick tree, so that one measured row does not cost a walk over 100,000.
 */

export class Heights {
  constructor() {
    this.count = 0;
    /** @type {Float64Array} */
    this.values = new Float64Array(256);
    /** @type {Float64Array} sums[i] = sum of the values that node i of the tree stands for, from 1 */
    this.sums = new Float64Array(257);
  }

  /** Sum of all heights. */
  get total() {
    return this.offsetOf(this.count);
  }

  /** @param {Iterable<number>} heights */
  reset(heights) {
    const values = Float64Array.from(heights);
    this.count = values.length;
    this.values = new Float64Array(roomFor(values.length));
    this.values.set(values);
    this._rebuild();
  }

  /** @param {number} height */
  append(height) {
    if (this.count === this.values.length) {
      const grown = new Float64Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
      this._rebuild();
    }
    this.count += 1;
    this.set(this.count - 1, height);
  }

  /** @param {number} index */
  at(index) {
    return this.values[index];
  }

  /**
   * @param {number} index @param {number} height
   * @returns {number} by how much it grew
   */
  set(index, height) {
    const grown = height - this.values[index];
    if (grown === 0) return 0;
    this.values[index] = height;
    for (let node = index + 1; node < this.sums.length; node += node & -node) this.sums[node] += grown;
    return grown;
  }

  /**
   * Where row `index` begins; `count` gives the end of the last.
   * @param {number} index
   */
  offsetOf(index) {
    let sum = 0;
    for (let node = index; node > 0; node -= node & -node) sum += this.sums[node];
    return sum;
  }

  /**
   * The row that covers `offset`; the first or last one beyond the ends, -1 when there is none.
   * @param {number} offset
   */
  indexAt(offset) {
    if (!this.count) return -1;
    let node = 0;
    let rest = offset;
    for (let step = this.values.length; step > 0; step >>= 1) {
      const next = node + step;
      if (next <= this.count && this.sums[next] <= rest) {
        node = next;
        rest -= this.sums[next];
      }
    }
    return Math.min(node, this.count - 1);
  }

  /**
   * The rows that touch [top, bottom]: first, and one past the last.
   * @param {number} top @param {number} bottom
   * @returns {[number, number]}
   */
  range(top, bottom) {
    if (!this.count) return [0, 0];
    return [Math.max(0, this.indexAt(top)), this.indexAt(bottom) + 1];
  }

  _rebuild() {
    const size = this.values.length;
    this.sums = new Float64Array(size + 1);
    for (let node = 1; node <= size; node += 1) {
      this.sums[node] += this.values[node - 1];
      const parent = node + (node & -node);
      if (parent <= size) this.sums[parent] += this.sums[node];
    }
  }
}

/** A power of two, so that indexAt can halve. @param {number} count */
function roomFor(count) {
  let room = 256;
  while (room < count) room *= 2;
  return room;
}
