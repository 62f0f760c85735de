/**
 * Learning rates that fall from the last layer to the first, for fine-tuning. Howard & Ruder 2018, https://arxiv.org/abs/1801.06146
 * (discriminative fine-tuning); Clark et al. 2020, https://arxiv.org/abs/2003.10555 (layer-wise decay).
 */
import { ArgumentError } from "../graph/errors.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { LearningRate, NamedParameters } from "./groups.ts";
import { type MatchedGroup, named } from "./parameterGroups.ts";

export interface LayerwiseDecayOptions {
  /** Rate of each layer over that of the next, in (0, 1]. */
  readonly decay: number;
  /** Of the last layer: a rate or a schedule, which is scaled for each group. */
  readonly lr: LearningRate;
  /** Depth of a parameter from its name, a whole number from 0 at the input. Default: see `layerwiseDecay`. */
  readonly depth?: ((name: string, parameter: Parameter) => number) | undefined;
}

/** Name up to its first number, `blocks.3` of `blocks.3.norm.weight`; undefined without one. */
const blockOf = (name: string): string | undefined => /^(?:[^.]+\.)*?\d+(?=\.|$)/.exec(name)?.[0];

/** Depths by order of appearance: of each numbered block, and of each run of names without number between them. */
function depthsOf(names: readonly string[]): Map<string, number> {
  const known = new Map<string, number>();
  const depths = new Map<string, number>();
  let count = 0;
  let before: string | undefined;
  for (const [i, name] of names.entries()) {
    const block = blockOf(name);
    const isNew = block === undefined ? i === 0 || before !== undefined : !known.has(block);
    if (isNew) {
      if (block !== undefined) known.set(block, count);
      count++;
    }
    depths.set(name, block === undefined ? count - 1 : (known.get(block) as number));
    before = block;
  }
  return depths;
}

/**
 * One group per layer, `depth.0` the first, whose rate is lr · decay^(layers above it):
 *
 *     adamW(layerwiseDecay(model.namedParameters(), { decay: 0.75, lr: warmupCosine({ … }) }))
 *
 * A layer is a numbered block, the name up to its first number: `blocks.0`, `blocks.1`, … What comes before the first
 * (embeddings), between, and after the last (the head) are layers, too, in the order of the parameters. The group of the
 * last layer comes first, so that `optimizer.lr` is the base rate.
 *
 * @throws ArgumentError for a decay outside (0, 1], for a depth that is no whole number ≥ 0, and without lr.
 */
export function layerwiseDecay(
  parameters: NamedParameters,
  { decay, lr, depth }: LayerwiseDecayOptions,
): MatchedGroup<{ readonly lr: LearningRate }>[] {
  const subject = "layerwiseDecay";
  if (typeof decay !== "number" || !(decay > 0 && decay <= 1)) {
    throw new ArgumentError(subject, `decay must be in (0, 1], got ${String(decay)}`);
  }
  if (typeof lr !== "function" && typeof lr !== "number") {
    throw new ArgumentError(subject, `lr must be a number or a schedule, got ${String(lr)}`);
  }
  const all = named(subject, parameters);
  const parsed = depthsOf(all.map(([name]) => name));
  const byDepth = Map.groupBy(all, ([name, parameter]) => {
    const at = depth ? depth(name, parameter) : (parsed.get(name) as number);
    if (Number.isInteger(at) && at >= 0) return at;
    throw new ArgumentError(subject, `depth must give a whole number ≥ 0, got ${String(at)} for ${name}`);
  });
  const last = Math.max(0, ...byDepth.keys());
  return [...byDepth]
    .sort(([a], [b]) => b - a)
    .map(([at, own]) => {
      const factor = decay ** (last - at);
      return {
        name: `depth.${at}`,
        parameters: Object.fromEntries(own),
        lr: typeof lr === "number" ? factor * lr : factor === 1 ? lr : (step: number) => factor * lr(step),
      };
    });
}
