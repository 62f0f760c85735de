/** Updates of many parameters with gradients that are given: every element-wise optimizer's is one kernel, in place. */
import { add, compile, div, minimum, mul, Parameter, sqrt, square, sum, type Tensor } from "@thalweg/core";
import {
  type AnyNamedOptimizer,
  adamW,
  type Convention,
  type GradientTransform,
  type Optimizer,
  optimizersByName,
  sgd,
  type Wrapper,
  wrappers,
} from "@thalweg/core/optim";
import type { Figures } from "./figures.ts";
import { leaf } from "./graph.ts";

export interface Update {
  readonly name: string;
  make(parameters: readonly Parameter[]): Optimizer;
}

/** The gradients scaled so that the norm of all together is 1 at most. */
const clipByNorm: GradientTransform = (gradients) => {
  const norm = sqrt(gradients.map((gradient) => sum(square(gradient))).reduce((a, b) => add(a, b)));
  const scale = minimum(div(1, norm), 1);
  return gradients.map((gradient) => mul(gradient, scale));
};

/** Rules of matrices: tens to thousands of products and rotations, of which no number of kernels is the right one. */
const ofMatrices: ReadonlySet<string> = new Set(["muon", "shampoo", "soap"]);

/** What takes the gradient at another place than the parameters, and so has no update with gradients that are given. */
const lookingTwice: ReadonlySet<string> = new Set(["sam", "asam"]);

/** `update of adam`, and `update of adam (keras)` for each further meaning of the name. */
const conventionsOf = (name: string, make: AnyNamedOptimizer): Update[] =>
  (Object.keys(make.rules) as Convention[]).map((convention, i) => ({
    name: i === 0 ? `update of ${name}` : `update of ${name} (${convention})`,
    make: (parameters) => make(parameters, { convention, lr: 0.1 }),
  }));

export const updates: readonly Update[] = [
  ...Object.entries(optimizersByName)
    .filter(([name]) => !ofMatrices.has(name))
    .flatMap(([name, make]) => conventionsOf(name, make)),
  ...Object.entries(wrappers as Readonly<Record<string, Wrapper<object>>>)
    .filter(([name]) => !lookingTwice.has(name))
    .map(([name, wrap]) => ({
      name: `update of ${name}(adamW)`,
      make: (parameters: readonly Parameter[]) => wrap(adamW(parameters) as Optimizer),
    })),
  {
    name: "update of sgd with momentum",
    make: (parameters) => sgd(parameters, { lr: 0.1, momentum: 0.9 }) as Optimizer,
  },
  {
    name: "update of adamW with gradients clipped by their norm",
    make: (parameters) => adamW(parameters, { transforms: [clipByNorm] }) as Optimizer,
  },
];

export interface PreparedUpdate {
  run(): void;
  /** What an update must move: parameters, gradients and state read once, parameters and state written once. */
  least(): Figures;
}

/** An optimizer with the parameters of an MLP. */
export function prepareUpdate({ make }: Update): PreparedUpdate {
  const shapes = [[32, 20], [32], [16, 32], [16], [10, 16], [10]] as const;
  const parameters = shapes.map((shape, i) => new Parameter(leaf(shape), { name: `p${i}` }));
  const optimizer = make(parameters);
  const step = compile((...gradients: Tensor[]) => optimizer.update(gradients));
  const gradients = shapes.map((shape) => leaf(shape));
  const bytes = (tensors: readonly Tensor[]): number => tensors.reduce((total, { size }) => total + 4 * size, 0);
  return {
    run: () => step(...gradients),
    least() {
      const state = [...optimizer.state.values()].flatMap((values) => Object.values(values));
      const updated = bytes(parameters) + bytes(state);
      return ["1 loop", updated + bytes(gradients), updated, 0];
    },
  };
}
