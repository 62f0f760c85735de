/** What a logarithmic axis spans, and where it has ticks. */
export interface Axis {
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
}

/** How far apart ticks stand at least, as a part of the axis, so that their labels fit: beside each other or above each other. */
const leastGaps = { horizontal: 0.19, vertical: 0.1 } as const;
type Direction = keyof typeof leastGaps;

/** The numbers factor · 10ⁿ from `low` to `high`. */
function roundNumbers([low, high]: readonly [number, number], factors: readonly number[]): number[] {
  const list: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.ceil(Math.log10(high)); exponent++) {
    // Read as a decimal, not multiplied, so that 3e-7 is the number 3e-7.
    for (const factor of factors) list.push(Number(`${factor}e${exponent}`));
  }
  return list.filter((tick) => tick >= low && tick <= high);
}

/**
 * An axis that holds the values (those above 0) and ends at least `least` times as high as it starts, so that small
 * differences do not look large.
 */
export function logAxis(values: readonly number[], least = 10, direction: Direction = "horizontal"): Axis {
  const usable = values.filter(isDrawable);
  const [low, high] = usable.length === 0 ? [1, 1] : [Math.min(...usable) / 1.1, Math.max(...usable) * 1.1];
  const widen = Math.max(1, Math.sqrt((least * low) / high));
  const domain = [low / widen, high * widen] as const;
  return { domain, ticks: ticksOn(domain, leastGaps[direction]) };
}

function ticksOn(domain: readonly [number, number], leastGap: number): readonly number[] {
  const span = Math.log10(domain[1] / domain[0]);
  if (Math.log10(2) >= leastGap * span) return roundNumbers(domain, [1, 2, 5]);
  if (Math.log10(3) >= leastGap * span) return roundNumbers(domain, [1, 3]);
  const every = Math.ceil(leastGap * span);
  return roundNumbers(domain, [1]).filter((_, i) => i % every === 0);
}

/** Whether a number has a place on such an axis. */
export const isDrawable = (value: number): boolean => value > 0 && Number.isFinite(value);
