/** What may stand between the gradients and a rule: clipping, centralising, adding noise … */
import { ArgumentError, ShapeError, ThalwegError } from "../graph/errors.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { uniformScalar } from "../runtime/context.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What a transform knows beside gradients and parameters. Lists are in the order of the gradients. */
export interface TransformContext {
  /** Names the parameters go by in the optimizer. */
  readonly names: readonly string[];
  /** Which parameters go up their gradient: a decay must be subtracted there, not added. */
  readonly maximize: readonly boolean[];
  /**
   * A scalar of the dtype of `like`, asked for at every run: whatever changes from step to step. `step`: updates of the
   * optimizer done before, from 0.
   */
  scalar(name: string, like: Tensor, value: (step: number) => number): Tensor;
  /** Says which elements of a gradient were clipped, by booleans that broadcast to its shape, for diagnostics. */
  clipped(index: number, elements: Tensor): void;
}

/**
 * Gradients → gradients, in ordinary tensor operations: one per parameter, in the same order, shapes unchanged. Sees
 * all parameters of the optimizer that have a gradient, whatever their group. Null instead of a gradient leaves the
 * parameter out of this update: it keeps value, state and step count, and later transforms do not see it.
 */
export interface GradientTransform {
  (gradients: readonly Tensor[], parameters: readonly Tensor[], context: TransformContext): readonly (Tensor | null)[];
  /** What `explain` calls it, e.g. `clipGradNorm(1)`. Default: the function's name. */
  readonly description?: string;
}

/** `transform` with the description that `explain` shows. */
export const described = (description: string, transform: GradientTransform): GradientTransform =>
  Object.assign(
    (...[gradients, parameters, context]: Parameters<GradientTransform>) => transform(gradients, parameters, context),
    { description },
  );

/** @throws ArgumentError unless `transforms` is a list of functions. */
export function checkTransforms(
  subject: string,
  transforms: readonly GradientTransform[] = [],
): readonly GradientTransform[] {
  if (!Array.isArray(transforms) || !transforms.every((transform) => typeof transform === "function")) {
    throw new ArgumentError(subject, "transforms must be a list of functions (gradients, parameters) => gradients");
  }
  return [...transforms];
}

/** What transforms are told of the optimizer; the defaults are those of parameters that belong to none. */
export interface TransformSurroundings {
  readonly names?: readonly string[];
  readonly maximize?: readonly boolean[];
  /** Updates done so far. */
  readonly step?: () => number;
  readonly onClipped?: (index: number, elements: Tensor) => void;
}

const isFloat64 = (x: Tensor): boolean => x.dtype === "float64";

/** Makes the scalars of one transform, each once per name and dtype. */
function scalarsOf(prefix: string, step: () => number): TransformContext["scalar"] {
  const made = new Map<string, Tensor>();
  return (name, like, value) => {
    const dtype = isFloat64(like) ? "float64" : "float32";
    const key = `${dtype} ${name}`;
    const scalar = made.get(key) ?? new Tensor(uniformScalar(`${prefix}.${name}`, dtype, () => value(step())));
    made.set(key, scalar);
    return scalar;
  };
}

/**
 * Applies `transforms` in order. Gives one gradient per parameter, null where a transform left the parameter out.
 *
 * @throws ThalwegError or ShapeError when a transform does not keep the number or the shapes of the gradients.
 */
export function applyTransforms(
  subject: string,
  transforms: readonly GradientTransform[],
  gradients: readonly Tensor[],
  parameters: readonly Tensor[],
  { names = [], maximize = [], step = () => 0, onClipped = () => {} }: TransformSurroundings = {},
): readonly (Tensor | null)[] {
  const current: (Tensor | null)[] = [...gradients];
  for (const [index, transform] of transforms.entries()) {
    const present = [...current.keys()].filter((i) => current[i] !== null);
    const at = <T>(list: readonly T[], otherwise: (i: number) => T): T[] => present.map((i) => list[i] ?? otherwise(i));
    const next = transform(
      present.map((i) => current[i] as Tensor),
      present.map((i) => parameters[i] as Tensor),
      {
        names: at(names, (i) => `parameter.${i}`),
        maximize: at(maximize, () => false),
        scalar: scalarsOf(`${subject}.transforms[${index}]`, step),
        clipped: (i, elements) => onClipped(present[i] as number, elements),
      },
    );
    if (next.length !== present.length) {
      throw new ThalwegError(
        subject,
        `transforms[${index}] returned ${next.length} gradients, expected ${present.length}, one per parameter`,
      );
    }
    for (const [k, i] of present.entries()) {
      const gradient = next[k] ?? null;
      const { shape } = parameters[i] as Tensor;
      if (gradient && !sameShape(gradient.shape, shape)) {
        throw new ShapeError(
          subject,
          `transforms[${index}] returned a gradient of shape ${formatShape(gradient.shape)} for a parameter of shape ${formatShape(shape)}`,
        );
      }
      current[i] = gradient;
    }
  }
  return current;
}
