/** One step of a recurrent network, with PyTorch's gate order and weight layout. */
import { ShapeError } from "../graph/errors.ts";
import { formatShape } from "../graph/shape.ts";
import { asTensor, type TensorLike } from "./convert.ts";
import { add, mul, sigmoid, sub, tanh } from "./elementwise.ts";
import { split } from "./join.ts";
import { linear } from "./linalg.ts";
import type { Tensor } from "./tensor.ts";

export interface CellWeights {
  /** [gates·hidden, input]. */
  weightIH: TensorLike;
  /** [gates·hidden, hidden]. */
  weightHH: TensorLike;
  /** [gates·hidden]. */
  biasIH?: TensorLike | null | undefined;
  /** [gates·hidden]. */
  biasHH?: TensorLike | null | undefined;
}

/** Pre-activations of all gates from the input and from the hidden state. */
function gates(
  subject: string,
  x: TensorLike,
  h: Tensor,
  count: number,
  weights: CellWeights,
): [Tensor, Tensor, number] {
  const hidden = h.shape[h.rank - 1] as number;
  const weightHH = asTensor(weights.weightHH);
  if (weightHH.rank !== 2 || weightHH.shape[0] !== count * hidden || weightHH.shape[1] !== hidden) {
    throw new ShapeError(
      subject,
      `expected weightHH [${count * hidden}, ${hidden}] for h ${formatShape(h.shape)}, got ${formatShape(weightHH.shape)}`,
    );
  }
  const weightIH = asTensor(weights.weightIH);
  if (weightIH.rank !== 2 || weightIH.shape[0] !== count * hidden) {
    throw new ShapeError(subject, `expected weightIH [${count * hidden}, input], got ${formatShape(weightIH.shape)}`);
  }
  return [linear(x, weightIH, weights.biasIH), linear(h, weightHH, weights.biasHH), hidden];
}

/** Long short-term memory. x [n, input], h and c [n, hidden]; gates in the order input, forget, cell, output. Gives the new [h, c]. */
export function lstmCell(
  x: TensorLike,
  [h, c]: readonly [TensorLike, TensorLike],
  weights: CellWeights,
): [Tensor, Tensor] {
  const [fromInput, fromHidden, hidden] = gates("lstmCell", x, asTensor(h), 4, weights);
  const [i, f, g, o] = split(add(fromInput, fromHidden), hidden, { axis: -1 }) as [Tensor, Tensor, Tensor, Tensor];
  const cell = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
  return [mul(sigmoid(o), tanh(cell)), cell];
}

/**
 * Gated recurrent unit. x [n, input], h [n, hidden]; gates in the order reset, update, new. The reset gate multiplies
 * weightHH·h + biasHH of the new gate, as in PyTorch. Gives the new h.
 */
export function gruCell(x: TensorLike, h: TensorLike, weights: CellWeights): Tensor {
  const state = asTensor(h);
  const [fromInput, fromHidden, hidden] = gates("gruCell", x, state, 3, weights);
  const [ri, zi, ni] = split(fromInput, hidden, { axis: -1 }) as [Tensor, Tensor, Tensor];
  const [rh, zh, nh] = split(fromHidden, hidden, { axis: -1 }) as [Tensor, Tensor, Tensor];
  const fresh = tanh(add(ni, mul(sigmoid(add(ri, rh)), nh)));
  return add(fresh, mul(sigmoid(add(zi, zh)), sub(state, fresh)));
}
