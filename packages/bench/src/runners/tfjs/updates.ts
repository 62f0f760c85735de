/** Its optimizers at PyTorch's defaults, and a bare update by each. */
import type { SpecOf } from "../../spec.ts";
import { samples, updateInputs, updateLearningRate } from "../../values.ts";
import type { Refusal, Session } from "../session.ts";
import type { Tfjs, TfOptimizer, TfVariable } from "./library.ts";

const [beta1, beta2, eps, weightDecay] = [0.9, 0.999, 1e-8, 0.01];

export const adam = (tf: Tfjs, lr: number): TfOptimizer => tf.train.adam(lr, beta1, beta2, eps);

/** AdamW, which it does not have: its Adam after p ← (1 - lr · weightDecay) p, which is the same. */
export function adamW(tf: Tfjs, lr: number, variables: readonly TfVariable[]): Pick<TfOptimizer, "applyGradients"> {
  const rule = adam(tf, lr);
  const keep = 1 - lr * weightDecay;
  return {
    applyGradients(gradients) {
      tf.tidy(() => {
        for (const variable of variables) variable.assign(variable.mul(keep));
      });
      rule.applyGradients(gradients);
    },
  };
}

/** The rules it has with the semantics of PyTorch's; its momentum and its RMSProp are others. */
function ruleNamed(
  tf: Tfjs,
  name: string,
  variables: readonly TfVariable[],
): Pick<TfOptimizer, "applyGradients"> | undefined {
  if (name === "sgd") return tf.train.sgd(updateLearningRate);
  if (name === "adam") return adam(tf, updateLearningRate);
  if (name === "adamW") return adamW(tf, updateLearningRate, variables);
  return undefined;
}

export function updateSession(tf: Tfjs, { optimizer, size, tensors }: SpecOf<"optimizer">): Session | Refusal {
  const inputs = updateInputs(size, tensors);
  const shape = [size / tensors];
  const variables = inputs.parameters.map((values) => tf.variable(tf.tensor(values, shape)));
  const rule = ruleNamed(tf, optimizer, variables);
  if (!rule) return { reason: `no optimizer with the semantics of ${optimizer} is in tf.train` };
  const gradients = Object.fromEntries(
    variables.map(({ name }, i) => [name, tf.tensor(inputs.gradients[i] as Float32Array, shape)]),
  );
  return {
    run: () => rule.applyGradients(gradients),
    check: () => samples((variables[0] as TfVariable).dataSync()),
  };
}
