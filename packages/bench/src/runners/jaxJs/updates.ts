/** Optimizers at PyTorch's defaults, written over its API (it has none itself), and a bare update by each. */
import type { SpecOf } from "../../spec.ts";
import { samples, updateInputs, updateLearningRate } from "../../values.ts";
import type { Refusal, Session } from "../session.ts";
import type { Jax, JaxArray } from "./library.ts";

const [beta1, beta2, eps, weightDecay] = [0.9, 0.999, 1e-8, 0.01];

/** What an update changes from step to step: parameters, and the moments of each, if any. */
export interface TrainState {
  readonly parameters: readonly JaxArray[];
  readonly first: readonly JaxArray[];
  readonly second: readonly JaxArray[];
  /** It is an argument of functions under jit. */
  readonly [key: string]: readonly JaxArray[];
}

export interface Rule {
  /** Moments of zeros, if it has any. */
  start(parameters: readonly JaxArray[]): TrainState;
  /** Numbers of the given step, from 1, that the update takes as arrays so that it is compiled once. */
  scalars(step: number): JaxArray[];
  /** Under jit. */
  update(state: TrainState, gradients: readonly JaxArray[], scalars: readonly JaxArray[]): TrainState;
}

const sgd = (lr: number): Rule => ({
  start: (parameters) => ({ parameters, first: [], second: [] }),
  scalars: () => [],
  update: ({ parameters, first, second }, gradients) => ({
    parameters: parameters.map((p, i) => p.sub((gradients[i] as JaxArray).mul(lr))),
    first,
    second,
  }),
});

function adam({ numpy }: Jax, lr: number, decay: number): Rule {
  const zeros = (parameters: readonly JaxArray[]) => parameters.map((p) => p.ref.mul(0));
  return {
    start: (parameters) => ({ parameters, first: zeros(parameters), second: zeros(parameters) }),
    scalars: (step) => [numpy.array(lr / (1 - beta1 ** step)), numpy.array(1 / Math.sqrt(1 - beta2 ** step))],
    update({ parameters, first, second }, gradients, scalars) {
      const [stepSize, rescale] = scalars as [JaxArray, JaxArray];
      const newFirst = first.map((m, i) => m.mul(beta1).add((gradients[i] as JaxArray).ref.mul(1 - beta1)));
      const newSecond = second.map((v, i) => v.mul(beta2).add(numpy.square(gradients[i] as JaxArray).mul(1 - beta2)));
      const newParameters = parameters.map((p, i) => {
        const [m, v] = [newFirst[i] as JaxArray, newSecond[i] as JaxArray];
        const move = m.ref.div(numpy.sqrt(v.ref).mul(rescale.ref).add(eps)).mul(stepSize.ref);
        return (decay === 0 ? p : p.mul(1 - lr * decay)).sub(move);
      });
      for (const scalar of scalars) scalar.dispose();
      return { parameters: newParameters, first: newFirst, second: newSecond };
    },
  };
}

/** sgd, adam or adamW. */
export function ruleNamed(jax: Jax, name: string, lr: number): Rule | undefined {
  if (name === "sgd") return sgd(lr);
  if (name === "adam") return adam(jax, lr, 0);
  if (name === "adamW") return adam(jax, lr, weightDecay);
  return undefined;
}

export function updateSession(jax: Jax, { optimizer, size, tensors }: SpecOf<"optimizer">): Session | Refusal {
  const rule = ruleNamed(jax, optimizer, updateLearningRate);
  if (!rule) return { reason: `${optimizer} is not written over jax-js, which has no optimizers` };
  const inputs = updateInputs(size, tensors);
  const gradients = inputs.gradients.map((values) => jax.numpy.array(values));
  let state = rule.start(inputs.parameters.map((values) => jax.numpy.array(values)));
  const update = jax.jit((before: TrainState, given: readonly JaxArray[], scalars: readonly JaxArray[]) =>
    rule.update(before, given, scalars),
  );
  let step = 0;
  return {
    async run() {
      step++;
      state = update(state, jax.tree.ref(gradients), rule.scalars(step));
      // Waiting for one array does all that its call has put off; waiting for each would go through that list each time.
      await jax.blockUntilReady(state.parameters[0] as JaxArray);
    },
    check: () => samples((state.parameters[0] as JaxArray).ref.dataSync()),
  };
}
