/** How long an update takes beside another one: the two take turns, so that what else the machine does falls on both. */
import { median } from "../statistics.ts";
import { layers, type UpdatedGroup, updatedGroup } from "./group.ts";
import type { NamedUpdate } from "./updates.ts";

export interface UpdateTime {
  /** Milliseconds of one update of `layers`, the median over windows. */
  readonly medianMs: number;
  /** The median over pairs of windows, how many times as long it takes as the other. */
  readonly ratio: number;
}

export interface UpdateTimeOptions {
  /** Milliseconds that a window lasts at least. Default 25: short, so that both see the same of what disturbs. */
  readonly window?: number;
  /** Pairs of windows; fewer, but 3, of an update that takes long. Default 25. */
  readonly pairs?: number;
  /** Milliseconds after which 3 pairs are enough. Default 12,000. */
  readonly enough?: number;
}

const leastPairs = 3;

/** Updates for `window` milliseconds, once at least; gives the milliseconds of one. */
async function timed({ step, gradients, parameters }: UpdatedGroup, window: number): Promise<number> {
  const start = performance.now();
  let times = 0;
  do {
    step(...gradients);
    times++;
    // A backend that does not block is waited for: by reading something small.
    await parameters.at(-1)?.data();
  } while (performance.now() - start < window);
  return (performance.now() - start) / times;
}

/** @throws ThalwegError as `updateCosts`. */
export async function timeBeside(
  update: NamedUpdate,
  other: NamedUpdate,
  { window = 25, pairs = 25, enough = 12_000 }: UpdateTimeOptions = {},
): Promise<UpdateTime> {
  const [measured, reference] = [update, other].map((given) => updatedGroup(given, layers)) as [
    UpdatedGroup,
    UpdatedGroup,
  ];
  const start = performance.now();
  // Engines compile a function after some calls; that is no part of a step.
  for (const group of [measured, reference]) await timed(group, window);
  const times: { readonly own: number; readonly beside: number }[] = [];
  while (times.length < leastPairs || (times.length < pairs && performance.now() - start < enough)) {
    times.push({ own: await timed(measured, window), beside: await timed(reference, window) });
  }
  measured.optimizer.dispose();
  reference.optimizer.dispose();
  return {
    medianMs: median(times.map(({ own }) => own)),
    ratio: median(times.map(({ own, beside }) => own / beside)),
  };
}
