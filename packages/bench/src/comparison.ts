/** Whether one library is faster than another beyond what is noise, from paired measurements. */
import { median, percentile } from "./statistics.ts";

/** Milliseconds of a run, measured in two windows next to each other in time. */
export interface Pair {
  readonly ours: number;
  readonly theirs: number;
}

export type Verdict = "faster" | "slower" | "no change";

export interface Comparison {
  /** How many times as long ours takes: above 1, ours is slower. */
  readonly ratio: number;
  /** Interval that holds the ratio with 95 % confidence. */
  readonly low: number;
  readonly high: number;
  readonly verdict: Verdict;
}

/** A change below this share is none that matters, however sure it is: where the compiler puts code makes as much. */
export const leastEffect = 0.03;
const resamples = 2000;

/**
 * Compares by the median of the pairs' ratios, in which what slows the machine for longer than a pair cancels, with a
 * bootstrap interval. The pairs come in rounds, each from two processes of its own: two processes of the very same code
 * differ by more than windows within them do, so whole rounds are drawn first, then pairs within each.
 */
export function compareRounds(rounds: readonly (readonly Pair[])[]): Comparison {
  const ratios = rounds.map((pairs) => pairs.map(({ ours, theirs }) => ours / theirs));
  const draw = generator(1);
  const choose = <T>(items: readonly T[]): T => items[Math.floor(draw() * items.length)] as T;
  const medians = Array.from({ length: resamples }, () =>
    median(
      ratios.flatMap(() => {
        const round = choose(ratios);
        return round.map(() => choose(round));
      }),
    ),
  );
  const ratio = median(ratios.flat());
  const [low, high] = [percentile(medians, 0.025), percentile(medians, 0.975)];
  return { ratio, low, high, verdict: verdictOf(ratio, low, high) };
}

function verdictOf(ratio: number, low: number, high: number): Verdict {
  if (low > 1 && ratio >= 1 + leastEffect) return "slower";
  // The same change seen from the other side.
  if (high < 1 && ratio <= 1 / (1 + leastEffect)) return "faster";
  return "no change";
}

/** Numbers in [0, 1), the same every time, so that the same measurements give the same verdict (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
