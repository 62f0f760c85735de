/** A group of parameters with their gradients, to update. */
import { compile, Generator, mul, Parameter, randn, type Shape, type Tensor } from "@thalweg/core";
import type { Optimizer } from "@thalweg/core/optim";
import type { NamedUpdate } from "./updates.ts";

/** Weights and biases of sixteen layers: 1,000,000 parameters in 32 tensors, none of them square. */
export const layers: readonly Shape[] = Array.from({ length: 16 }, () => [[250, 249], [250]]).flat();

export interface UpdatedGroup {
  readonly optimizer: Optimizer;
  readonly parameters: readonly Parameter[];
  /** The gradients, and the compiled update that takes them. */
  readonly gradients: readonly Tensor[];
  readonly step: ReturnType<typeof compile<Tensor[], void>>;
}

/** Parameters from N(0, 0.1²) and gradients from N(0, 0.01²): the scale of a network in training. */
export function updatedGroup({ make }: NamedUpdate, shapes: readonly Shape[]): UpdatedGroup {
  const generator = new Generator(0);
  const draw = (shape: Shape, scale: number): Tensor => mul(randn(shape, { generator }), scale);
  const parameters = shapes.map((shape, i) => new Parameter(draw(shape, 0.1), { name: `p${i}` }));
  const gradients = shapes.map((shape) => draw(shape, 0.01));
  const optimizer = make(parameters);
  const step = compile((...given: Tensor[]) => optimizer.update(given));
  return { optimizer, parameters, gradients, step };
}
