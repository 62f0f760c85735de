/** What may stand between the gradients and a rule: clipping, centralising, adding noise … */
import { ShapeError, ThalwegError } from "../graph/errors.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Gradients → gradients, in ordinary tensor operations: one per parameter, in the same order, shapes unchanged. Sees
 * all parameters of the optimizer that have a gradient, whatever their group.
 */
export type GradientTransform = (gradients: readonly Tensor[], parameters: readonly Parameter[]) => readonly Tensor[];

/** Applies `transforms` in order and checks that each kept the number and shapes of the gradients. */
export function applyTransforms(
  subject: string,
  transforms: readonly GradientTransform[],
  gradients: readonly Tensor[],
  parameters: readonly Parameter[],
): readonly Tensor[] {
  let current = gradients;
  for (const [index, transform] of transforms.entries()) {
    const next = transform(current, parameters);
    if (next.length !== parameters.length) {
      throw new ThalwegError(
        subject,
        `transforms[${index}] returned ${next.length} gradients, expected ${parameters.length}, one per parameter`,
      );
    }
    for (const [i, parameter] of parameters.entries()) {
      const shape = (next[i] as Tensor).shape;
      if (!sameShape(shape, parameter.shape)) {
        throw new ShapeError(
          subject,
          `transforms[${index}] returned a gradient of shape ${formatShape(shape)} for a parameter of shape ${formatShape(parameter.shape)}`,
        );
      }
    }
    current = next;
  }
  return current;
}
