/** The stable order of one row of numbers, by merging runs from the bottom up. */

/** Whether `a` comes strictly before `b`. */
const before = (a: number, b: number, descending: boolean): boolean =>
  descending ? a > b || (Number.isNaN(a) && !Number.isNaN(b)) : a < b || (Number.isNaN(b) && !Number.isNaN(a));

/**
 * Writes to `order[0 … n)` the positions of `keys[0 … n)` in ascending (or descending) order. NaN counts as the
 * largest, ±0 as equal; equals keep their order. `spare` holds at least n elements and is overwritten.
 */
export function argSortRow(
  keys: Float64Array,
  n: number,
  descending: boolean,
  order: Int32Array,
  spare: Int32Array,
): void {
  for (let i = 0; i < n; i++) order[i] = i;
  let from = order;
  let to = spare;
  for (let width = 1; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width) {
      const middle = Math.min(start + width, n);
      const end = Math.min(start + 2 * width, n);
      let left = start;
      let right = middle;
      for (let k = start; k < end; k++) {
        let takeRight = left >= middle;
        if (!takeRight && right < end) {
          const l = keys[from[left] as number] as number;
          const r = keys[from[right] as number] as number;
          takeRight = before(r, l, descending);
        }
        to[k] = takeRight ? (from[right++] as number) : (from[left++] as number);
      }
    }
    [from, to] = [to, from];
  }
  if (from !== order) for (let i = 0; i < n; i++) order[i] = from[i] as number;
}
