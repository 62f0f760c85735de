/**
 * A line search for the strong Wolfe conditions: Nocedal & Wright, Numerical Optimization, algorithms 3.5 and 3.6, with
 * cubic interpolation, as PyTorch has it from torch/optim lswolfe.lua.
 */

/** The function along the line, at one place. */
export interface Trial<Gradient> {
  /** Step length: where on the line. */
  readonly t: number;
  readonly value: number;
  /** Derivative along the line. */
  readonly slope: number;
  readonly gradient: Gradient;
}

/** Sufficient decrease, and how much of the slope must go. */
const [c1, c2] = [1e-4, 0.9];
/** Brackets that move no parameter by more are small enough. */
const toleranceChange = 1e-9;
const maxTrials = 25;

/** The minimum, within the bounds, of the cubic through two places with their slopes. */
function cubicMinimum(a: Trial<unknown>, b: Trial<unknown>, bounds?: readonly [number, number]): number {
  const [lowest, highest] = bounds ?? (a.t <= b.t ? [a.t, b.t] : [b.t, a.t]);
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (lowest + highest) / 2;
  const d2 = Math.sqrt(square);
  const [left, right] = a.t <= b.t ? [a, b] : [b, a];
  const at = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return Math.min(Math.max(at, lowest), highest);
}

/**
 * Searches from `start` (t = 0, with a negative slope) for a place that fulfils both conditions.
 *
 * @param evaluate Looks at the function at a step length.
 * @param first The step length to try first.
 * @param reach Largest magnitude in the direction: how far the parameter that moves most goes per unit of t.
 * @returns The best place found, and how many were looked at.
 */
export async function strongWolfe<Gradient>(
  evaluate: (t: number) => Promise<Trial<Gradient>>,
  start: Trial<Gradient>,
  first: number,
  reach: number,
): Promise<{ best: Trial<Gradient>; evaluations: number }> {
  let evaluations = 0;
  const look = (t: number): Promise<Trial<Gradient>> => {
    evaluations++;
    return evaluate(t);
  };
  const insufficient = ({ t, value }: Trial<Gradient>): boolean => value > start.value + c1 * t * start.slope;
  const flat = ({ slope }: Trial<Gradient>): boolean => Math.abs(slope) <= -c2 * start.slope;

  // Outwards, until a place fulfils the conditions or lies beyond one that does.
  let previous = start;
  let current = await look(first);
  let bracket: [Trial<Gradient>, Trial<Gradient>] | undefined;
  let trials = 0;
  while (trials < maxTrials) {
    if (insufficient(current) || (trials > 1 && current.value >= previous.value)) {
      bracket = [previous, current];
      break;
    }
    if (flat(current)) return { best: current, evaluations };
    if (current.slope >= 0) {
      bracket = [previous, current];
      break;
    }
    const further: [number, number] = [current.t + 0.01 * (current.t - previous.t), current.t * 10];
    const next = cubicMinimum(previous, current, further);
    previous = current;
    current = await look(next);
    trials++;
  }
  bracket ??= [start, current];

  // Inwards: the bracket shrinks round such a place.
  let stuck = false;
  let low: 0 | 1 = bracket[0].value <= bracket[1].value ? 0 : 1;
  while (trials < maxTrials) {
    const [a, b] = bracket;
    const high = low === 0 ? 1 : 0;
    const [least, most] = [Math.min(a.t, b.t), Math.max(a.t, b.t)];
    if ((most - least) * reach < toleranceChange) break;
    let t = cubicMinimum(a, b);
    const margin = 0.1 * (most - least);
    if (Math.min(most - t, t - least) < margin) {
      // Close to an end: once that may be right, a second time, or at the end itself, it is no progress.
      if (stuck || t >= most || t <= least) {
        t = Math.abs(t - most) < Math.abs(t - least) ? most - margin : least + margin;
        stuck = false;
      } else {
        stuck = true;
      }
    } else {
      stuck = false;
    }
    const trial = await look(t);
    trials++;
    if (insufficient(trial) || trial.value >= bracket[low].value) {
      bracket[high] = trial;
      low = bracket[0].value <= bracket[1].value ? 0 : 1;
      continue;
    }
    const done = flat(trial);
    if (!done && trial.slope * (bracket[high].t - bracket[low].t) >= 0) bracket[high] = bracket[low];
    bracket[low] = trial;
    if (done) break;
  }
  return { best: bracket[low], evaluations };
}
