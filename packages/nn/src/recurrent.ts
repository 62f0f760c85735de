/** Recurrent cells: one step of one layer. Parameters are named as in PyTorch and all start as U(±1/√hiddenSize). */
import { type DType, gruCell as gruStep, lstmCell as lstmStep, Parameter, type Tensor, zeros } from "@thalweg/core";
import { checkCount } from "./checks.ts";
import { uniform } from "./initializers.ts";
import type { LayerOptions } from "./layerOptions.ts";
import { type ModuleMethods, module } from "./module.ts";

interface CellParts {
  readonly weightIH: Parameter;
  readonly weightHH: Parameter;
  readonly biasIH: Parameter | undefined;
  readonly biasHH: Parameter | undefined;
}

function makeCell(
  subject: string,
  gates: number,
  inputSize: number,
  hiddenSize: number,
  { bias = true, dtype = "float32" }: LayerOptions,
): CellParts {
  checkCount(subject, "inputSize", inputSize);
  checkCount(subject, "hiddenSize", hiddenSize);
  const bound = 1 / Math.sqrt(hiddenSize);
  const make = (...shape: number[]) => new Parameter(uniform(shape, { low: -bound, high: bound, dtype }));
  return {
    weightIH: make(gates * hiddenSize, inputSize),
    weightHH: make(gates * hiddenSize, hiddenSize),
    biasIH: bias ? make(gates * hiddenSize) : undefined,
    biasHH: bias ? make(gates * hiddenSize) : undefined,
  };
}

const startState = (x: Tensor, hiddenSize: number, dtype: DType): Tensor =>
  zeros([...x.shape.slice(0, -1), hiddenSize], { dtype });

export type LstmState = readonly [h: Tensor, c: Tensor];
export type LstmCell = ModuleMethods & ((x: Tensor, state?: LstmState) => LstmState) & CellParts;

/**
 * x [batch, inputSize] and state (zeros without one) → new state [h, c], each [batch, hiddenSize], as
 * torch.nn.LSTMCell: gates in the order input, forget, cell, output. Hochreiter & Schmidhuber 1997, "Long short-term
 * memory".
 */
export function lstmCell(inputSize: number, hiddenSize: number, options: LayerOptions = {}): LstmCell {
  const parts = makeCell("lstmCell", 4, inputSize, hiddenSize, options);
  const forward = (x: Tensor, state?: LstmState): LstmState => {
    const [h, c] = state ?? [startState(x, hiddenSize, x.dtype), startState(x, hiddenSize, x.dtype)];
    return lstmStep(x, [h, c], parts);
  };
  return module({ ...parts }, forward, "lstmCell");
}

export type GruCell = ModuleMethods & ((x: Tensor, h?: Tensor) => Tensor) & CellParts;

/**
 * x [batch, inputSize] and h (zeros without it) → new h [batch, hiddenSize], as torch.nn.GRUCell: gates in the order
 * reset, update, new. Cho et al. 2014, https://arxiv.org/abs/1406.1078
 */
export function gruCell(inputSize: number, hiddenSize: number, options: LayerOptions = {}): GruCell {
  const parts = makeCell("gruCell", 3, inputSize, hiddenSize, options);
  const forward = (x: Tensor, h?: Tensor): Tensor => gruStep(x, h ?? startState(x, hiddenSize, x.dtype), parts);
  return module({ ...parts }, forward, "gruCell");
}
