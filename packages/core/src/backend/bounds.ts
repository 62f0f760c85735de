/** Where an affine access can land: interval arithmetic over the iteration space, narrowed by the access's conditions. */
import type { Affine, Condition } from "./program.ts";

/** Inclusive. */
export interface Interval {
  readonly min: number;
  readonly max: number;
}

/** Below this many iterations a question that intervals leave open is settled by trying them all. */
const enumerationLimit = 100_000;

/** Loop variable i has key i; dynamic value v has key -1 - v: just another variable, of range [0, size). */
type Key = number;

interface Linear {
  readonly offset: number;
  readonly coefficients: ReadonlyMap<Key, number>;
}

function linear({ offset, strides, dynamic = [] }: Affine): Linear {
  const coefficients = new Map<Key, number>();
  const add = (key: Key, stride: number) => coefficients.set(key, (coefficients.get(key) ?? 0) + stride);
  for (const [variable, stride] of strides.entries()) add(variable, stride);
  for (const { value, stride } of dynamic) add(-1 - value, stride);
  for (const [key, stride] of coefficients) if (stride === 0) coefficients.delete(key);
  return { offset, coefficients };
}

type Ranges = Map<Key, Interval>;

const scale = ({ min, max }: Interval, by: number): Interval =>
  by < 0 ? { min: max * by, max: min * by } : { min: min * by, max: max * by };
const plus = (a: Interval, b: Interval): Interval => ({ min: a.min + b.min, max: a.max + b.max });
const intersect = (a: Interval, b: Interval): Interval => ({
  min: Math.max(a.min, b.min),
  max: Math.min(a.max, b.max),
});
const isEmpty = ({ min, max }: Interval): boolean => min > max;

/** The values `form` takes over a box of ranges: exact, as every variable is independent. */
function overBox({ offset, coefficients }: Linear, ranges: Ranges): Interval {
  let total: Interval = { min: offset, max: offset };
  for (const [key, stride] of coefficients) total = plus(total, scale(ranges.get(key) as Interval, stride));
  return total;
}

interface Box {
  readonly ranges: Ranges;
  /** Conditions over several variables, which a box cannot express. */
  readonly rest: readonly { readonly form: Linear; readonly within: Interval }[];
}

/** The iteration space as ranges narrowed by all conditions over a single variable; undefined when nothing is left. */
function boxOf(sizes: readonly number[], at: Affine, conditions: readonly Condition[]): Box | undefined {
  const ranges: Ranges = new Map(sizes.map((size, variable) => [variable, { min: 0, max: size - 1 }]));
  for (const affine of [at, ...conditions.map((condition) => condition.affine)]) {
    for (const { value, size } of affine.dynamic ?? []) {
      const range = { min: 0, max: size - 1 };
      ranges.set(-1 - value, intersect(ranges.get(-1 - value) ?? range, range));
    }
  }
  const rest: { form: Linear; within: Interval }[] = [];
  for (const { affine, lo, hi } of conditions) {
    if (lo >= hi) return undefined;
    const form = linear(affine);
    const within = { min: lo, max: hi - 1 };
    if (form.coefficients.size > 1) rest.push({ form, within });
    else if (form.coefficients.size === 0) {
      if (form.offset < lo || form.offset >= hi) return undefined;
    } else {
      for (const [key, stride] of form.coefficients) {
        const ends = [(within.min - form.offset) / stride, (within.max - form.offset) / stride];
        const allowed = { min: Math.ceil(Math.min(...ends)), max: Math.floor(Math.max(...ends)) };
        ranges.set(key, intersect(ranges.get(key) as Interval, allowed));
      }
    }
  }
  for (const range of ranges.values()) if (isEmpty(range)) return undefined;
  return { ranges, rest };
}

/**
 * A bound on `form` that uses the conditions over several variables: wherever one of them is a part of `form` (times a
 * factor), its known interval takes the part's place.
 */
function narrowed(form: Linear, { ranges, rest }: Box): Interval {
  const left = new Map(form.coefficients);
  let total: Interval = { min: 0, max: 0 };
  for (const condition of rest) {
    const keys = [...condition.form.coefficients];
    const [firstKey, firstStride] = keys[0] as [Key, number];
    const factor = (left.get(firstKey) ?? 0) / firstStride;
    if (factor === 0 || keys.some(([key, stride]) => (left.get(key) ?? 0) !== factor * stride)) continue;
    for (const [key] of keys) left.delete(key);
    const range = intersect(condition.within, overBox(condition.form, ranges));
    const shift = -condition.form.offset;
    total = plus(total, scale(plus(range, { min: shift, max: shift }), factor));
  }
  return plus(total, overBox({ offset: form.offset, coefficients: left }, ranges));
}

/** Bounds of the elements an access touches, or undefined if it never happens. */
export function accessInterval(
  at: Affine,
  conditions: readonly Condition[],
  sizes: readonly number[],
): Interval | undefined {
  const box = boxOf(sizes, at, conditions);
  return box && narrowed(linear(at), box);
}

/** Number of iterations of the access's box in which its address can differ. */
export function distinctAddresses(at: Affine, conditions: readonly Condition[], sizes: readonly number[]): number {
  const box = boxOf(sizes, at, conditions);
  if (!box) return 0;
  const form = linear(at);
  // A dynamic value may differ at every iteration.
  const moving = (at.dynamic?.length ?? 0) > 0 ? sizes.map((_, variable) => variable) : [...form.coefficients.keys()];
  const count = moving.reduce((product, key) => {
    const { min, max } = box.ranges.get(key) as Interval;
    return product * (max - min + 1);
  }, 1);
  const { min, max } = narrowed(form, box);
  return Math.min(count, max - min + 1);
}

/**
 * An element outside [0, size) that the access reaches at some iteration its conditions allow, or undefined when there is
 * none. A dynamic value counts as any number in its range. Iteration spaces too large to try are given the benefit of
 * the doubt, when conditions over several variables leave one.
 */
export function elementOutOfBounds(
  at: Affine,
  conditions: readonly Condition[],
  sizes: readonly number[],
  size: number,
): number | undefined {
  const box = boxOf(sizes, at, conditions);
  if (!box) return undefined;
  const form = linear(at);
  const outside = ({ min, max }: Interval) => (min < 0 ? min : max >= size ? max : undefined);
  const found = outside(narrowed(form, box));
  if (found === undefined || box.rest.length === 0) return found;

  const keys = [
    ...new Set([form, ...box.rest.map((condition) => condition.form)].flatMap((f) => [...f.coefficients.keys()])),
  ];
  const ranges = keys.map((key) => box.ranges.get(key) as Interval);
  const points = ranges.reduce((product, { min, max }) => product * (max - min + 1), 1);
  if (points > enumerationLimit) return undefined;
  const valueAt = ({ offset, coefficients }: Linear, point: ReadonlyMap<Key, number>) =>
    [...coefficients].reduce((total, [key, stride]) => total + stride * (point.get(key) as number), offset);
  for (let i = 0; i < points; i++) {
    const point = new Map<Key, number>();
    let rest = i;
    keys.forEach((key, position) => {
      const { min, max } = ranges[position] as Interval;
      const count = max - min + 1;
      point.set(key, min + (rest % count));
      rest = Math.floor(rest / count);
    });
    const allowed = box.rest.every(({ form: condition, within }) => {
      const value = valueAt(condition, point);
      return value >= within.min && value <= within.max;
    });
    const element = valueAt(form, point);
    if (allowed && (element < 0 || element >= size)) return element;
  }
  return undefined;
}

/** Whether no two iterations share an element: each stride steps over all that the smaller ones span. */
export function isInjective(at: Affine, sizes: readonly number[]): boolean {
  if ((at.dynamic?.length ?? 0) > 0) return false;
  const axes = sizes
    .map((size, axis) => ({ size, stride: Math.abs(at.strides[axis] ?? 0) }))
    .filter(({ size }) => size > 1);
  axes.sort((a, b) => a.stride - b.stride);
  let span = 0;
  for (const { size, stride } of axes) {
    if (stride <= span) return false;
    span += (size - 1) * stride;
  }
  return true;
}
