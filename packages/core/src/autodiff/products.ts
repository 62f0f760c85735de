/** Products with the Jacobian and with the Hessian. All of them give graph, to be differentiated again if wanted. */
import { AutodiffError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { formatShape } from "../graph/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { backward } from "./backward.ts";
import { fillLike } from "./build.ts";
import { checkFloats, describe, flatten, type Like, matchingNodes, type Tensors, unflatten } from "./structure.ts";

export interface GradOptions {
  /** Give zeros for a variable the result does not depend on, instead of throwing. Default false. */
  readonly allowUnused?: boolean;
}

/** Throws unless `loss` is one floating-point number. */
export function checkLoss(subject: string, loss: Tensor): void {
  if (!(loss instanceof Tensor)) throw new AutodiffError(subject, `expected the loss as a tensor, got ${String(loss)}`);
  if (loss.size !== 1) {
    throw new AutodiffError(
      subject,
      `expected a scalar loss, got shape ${formatShape(loss.shape)}; reduce it with sum or mean`,
    );
  }
  checkFloats(subject, { loss });
}

/** Gradients of Σ outputs · cotangents, zeros or an error where a variable is not reached. */
export function pullBack<T extends Tensors>(
  subject: string,
  outputs: readonly Tensor[],
  cotangents: readonly Tensor["node"][],
  variables: T,
  allowUnused: boolean,
): Like<T> {
  checkFloats(subject, variables);
  const nodes = flatten(subject, "variables", variables).map(({ node }) => node);
  const gradients = backward(
    outputs.map(({ node }) => node),
    cotangents,
    nodes,
  );
  return unflatten(
    variables,
    gradients.map((gradient, i) => {
      if (!gradient && !allowUnused) {
        throw new AutodiffError(
          subject,
          `the result does not depend on ${describe(variables, i)}; pass allowUnused: true to get zeros for it`,
        );
      }
      return new Tensor(gradient ?? fillLike(0, nodes[i] as Tensor["node"]));
    }),
  );
}

/**
 * Vector-Jacobian product (reverse mode): the gradients of Σ outputs · cotangents by `inputs`, in their structure.
 *
 * @param outputs a tensor, or a list or record of tensors, computed from `inputs`
 * @param cotangents one per output, of the same shape and dtype
 * @throws AutodiffError for an integer or boolean variable, or one that no output depends on (unless `allowUnused`)
 * @throws ShapeError for a cotangent of another shape
 */
export function vjp<I extends Tensors>(
  outputs: Tensors,
  inputs: I,
  cotangents: Tensors,
  { allowUnused = false }: GradOptions = {},
): Like<I> {
  checkFloats("vjp", outputs);
  const list = flatten("vjp", "outputs", outputs);
  return pullBack("vjp", list, matchingNodes("vjp", "cotangents", cotangents, list), inputs, allowUnused);
}

/**
 * Jacobian-vector product (forward mode): how `outputs` move as `inputs` move along `tangents`, in the structure of the
 * outputs; zeros for an output that depends on none of them. Computed as the vector-Jacobian product of the
 * vector-Jacobian product, which is linear in its cotangents (Townsend, "A new trick for calculating Jacobian vector
 * products", 2017).
 *
 * @param tangents one per input, of the same shape and dtype
 * @throws AutodiffError for an integer or boolean among inputs or outputs
 * @throws ShapeError for a tangent of another shape
 */
export function jvp<O extends Tensors>(outputs: O, inputs: Tensors, tangents: Tensors): Like<O> {
  checkFloats("jvp", outputs);
  checkFloats("jvp", inputs);
  const list = flatten("jvp", "outputs", outputs);
  const variables = flatten("jvp", "inputs", inputs);
  const directions = matchingNodes("jvp", "tangents", tangents, variables);
  // Stands for the cotangents. The product is linear in them, so none is left in what is returned.
  const slots = list.map(({ node }) => makeNode("stopGradient", [fillLike(0, node)], {}, node.shape, node.dtype));
  const gradients = backward(
    list.map(({ node }) => node),
    slots,
    variables.map(({ node }) => node),
  );
  const reached = gradients.flatMap((gradient, i) => (gradient ? [{ gradient, direction: directions[i] }] : []));
  const results = backward(
    reached.map(({ gradient }) => gradient),
    reached.map(({ direction }) => direction as Tensor["node"]),
    slots,
  );
  return unflatten(
    outputs,
    results.map((result, i) => new Tensor(result ?? fillLike(0, slots[i] as Tensor["node"]))),
  );
}

/**
 * Hessian-vector product: the Hessian of `loss` in all `inputs` together, times `vectors` taken as one vector, in the
 * structure of the inputs. Costs about two gradients and never builds the Hessian (Pearlmutter, "Fast exact
 * multiplication by the Hessian", 1994). Zeros where the loss is linear.
 *
 * @param vectors one per input, of the same shape and dtype
 * @throws AutodiffError as `grad`
 * @throws ShapeError for a vector of another shape
 */
export function hvp<I extends Tensors>(
  loss: Tensor,
  inputs: I,
  vectors: Tensors,
  { allowUnused = false }: GradOptions = {},
): Like<I> {
  checkLoss("hvp", loss);
  const directions = matchingNodes("hvp", "vectors", vectors, flatten("hvp", "inputs", inputs));
  const gradients: Tensors = pullBack<Tensors>("hvp", [loss], [fillLike(1, loss.node)], inputs, allowUnused);
  return pullBack("hvp", flatten("hvp", "gradients", gradients), directions, inputs, true);
}
