/** One update by an optimizer alone, its gradients given. */
import { compile, fromHost, Parameter, type Tensor } from "@thalweg/core";
import { optimizersByName } from "@thalweg/core/optim";
import type { SpecOf } from "../../spec.ts";
import { updateInputs, updateLearningRate } from "../../values.ts";
import type { Refusal, Session } from "../session.ts";
import { fence, samplesOf } from "./reading.ts";

export function updateSession({ optimizer, size, tensors }: SpecOf<"optimizer">): Session | Refusal {
  const make = Object.hasOwn(optimizersByName, optimizer) ? optimizersByName[optimizer] : undefined;
  if (!make) return { reason: `there is no optimizer ${optimizer}` };
  const inputs = updateInputs(size, tensors);
  const shape = [size / tensors];
  const parameters = inputs.parameters.map(
    (values, i) => new Parameter(fromHost(values, shape, "float32"), { name: `p${i}` }),
  );
  const gradients = inputs.gradients.map((values) => fromHost(values, shape, "float32"));
  const rule = make(parameters, { lr: updateLearningRate });
  const update = compile((given: Tensor[]) => rule.update(given));
  return {
    run: () => void update(gradients),
    finish: fence(),
    check: () => samplesOf(parameters[0] as Parameter),
  };
}
