/** Every optimizer there is, by name: what the cases train with. */
import { type NamedParameters, type Optimizer, optimizersByName } from "@thalweg/core/optim";

export type OptimizerSettings = Readonly<Record<string, unknown>>;

/** Parameters, or groups of them with options of their own. */
export type Trained = NamedParameters | readonly ({ readonly parameters: NamedParameters } & OptimizerSettings)[];

/** @throws {Error} for a name that core does not know. */
export function makeOptimizer(name: string, parameters: Trained, options: OptimizerSettings): Optimizer<object> {
  const make = Object.hasOwn(optimizersByName, name) ? optimizersByName[name] : undefined;
  if (!make) throw new Error(`there is no optimizer named ${name}`);
  return make(parameters, options);
}

/** Options worth a run of their own: those that change the rule's expression or its state. */
const variants: Readonly<Record<string, Readonly<Record<string, OptimizerSettings>>>> = {
  sgd: {
    plain: {},
    momentum: { momentum: 0.9, dampening: 0.3 },
    nesterov: { momentum: 0.9, nesterov: true, weightDecay: 0.05 },
  },
  adam: { defaults: {}, amsgrad: { amsgrad: true, betas: [0.7, 0.9], weightDecay: 0.1 } },
  adamW: { defaults: {}, amsgrad: { amsgrad: true, weightDecay: 0.2 } },
  // Decompositions of larger matrices take their time to compile; the layer ops has them.
  shampoo: { "axes of 4": { maxPreconditionerDim: 4 } },
  soap: { "axes of 4": { maxPrecondDim: 4 } },
};

/** Every optimizer of core, and each under the options that make another program of it. */
export const optimizerVariants: readonly (readonly [name: string, variant: string, options: OptimizerSettings])[] =
  Object.keys(optimizersByName).flatMap((name) =>
    Object.entries(variants[name] ?? { defaults: {} }).map(([variant, options]) => [name, variant, options] as const),
  );
