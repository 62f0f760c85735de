/** Central differences, extrapolated from two step sizes: their error is of fourth order. */

const steps = [5e-4, 1e-3] as const;

/** What is left of the differences' error in numbers of the order of 1, in float64. */
export const byElementTolerance = 1e-8;
/** The same along a direction, of functions that may bend more. */
export const directionalTolerance = 1e-6;

const extrapolate = (small: number, large: number): number => (4 * small - large) / 3;

/** Derivatives of `fn` by every element of `values[which]`. */
export function byElement(
  values: readonly Float64Array[],
  which: number,
  fn: (values: readonly Float64Array[]) => number,
): Float64Array {
  const moved = values[which] as Float64Array;
  const difference = (element: number, step: number): number => {
    const at = (move: number): number => fn(values.with(which, moved.with(element, (moved[element] as number) + move)));
    return (at(step) - at(-step)) / (2 * step);
  };
  return moved.map((_, i) => extrapolate(difference(i, steps[0]), difference(i, steps[1])));
}

/** Derivatives by t, at 0, of lists of numbers. */
export function directional(fn: (t: number) => readonly Float64Array[]): Float64Array[] {
  const [small, large] = steps.map((step) => {
    const [forth, back] = [fn(step), fn(-step)];
    return forth.map((values, i) => values.map((x, j) => (x - (back[i]?.[j] as number)) / (2 * step)));
  }) as [Float64Array[], Float64Array[]];
  return small.map((values, i) => values.map((x, j) => extrapolate(x, large[i]?.[j] as number)));
}

/** A direction with no element 0, of either sign, exact in float32. */
export const direction = (size: number, place: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => {
    const fraction = ((i + 1) * 0.7548776662466927 + place * 0.3) % 1;
    return Math.fround((i % 2 === 0 ? 1 : -1) * (0.25 + 0.75 * fraction));
  });
