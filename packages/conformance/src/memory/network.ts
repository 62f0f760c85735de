/** A network of two layers whose memory can be counted: nothing of it is uploaded, every buffer is a parameter's. */
import { grad, linear, mean, mul, Parameter, rand, square, sub, type Tensor, tanh } from "@thalweg/core";
import { adam, type Optimizer } from "@thalweg/core/optim";

const shapes = { w1: [8, 5], b1: [8], w2: [3, 8], b2: [3] } as const;

/** Buffers of the parameters, and of Adam's two moments of each. */
export const parameterBuffers = 4;
export const stateBuffers = 8;
export const parameterBytes = 4 * (40 + 8 + 24 + 3);

export interface Network {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer<object>;
  loss(x: Tensor): Tensor;
  /** An update that gives no result: what it leaves behind is in the parameters. */
  train(x: Tensor): void;
  dispose(): void;
}

export function network(): Network {
  const parameters = Object.entries(shapes).map(
    ([name, shape]) => new Parameter(sub(mul(rand(shape), 2), 1), { name }),
  );
  const [w1, b1, w2, b2] = parameters as [Parameter, Parameter, Parameter, Parameter];
  const optimizer = adam(parameters, { lr: 0.01 });
  const loss = (x: Tensor): Tensor => mean(square(linear(tanh(linear(x, w1, b1)), w2, b2)));
  return {
    parameters,
    optimizer,
    loss,
    train(x) {
      optimizer.update(grad(loss(x), parameters));
    },
    dispose() {
      for (const parameter of parameters) parameter.dispose();
      optimizer.dispose();
    },
  };
}
