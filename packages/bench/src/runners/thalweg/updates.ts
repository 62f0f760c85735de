/** One update by an optimizer alone, its gradients given. */
import { compile, fromHost, Parameter, type Tensor } from "@thalweg/core";
import { type Optimizer, optimizers } from "@thalweg/core/optim";
import type { SpecOf } from "../../spec.ts";
import { samples, updateInputs, updateLearningRate } from "../../values.ts";
import type { Refusal, Session } from "../session.ts";
import { fence } from "./reading.ts";

type Make = (parameters: readonly Parameter[], options: { readonly lr: number }) => Optimizer;

export function updateSession({ optimizer, size, tensors }: SpecOf<"optimizer">): Session | Refusal {
  if (!Object.hasOwn(optimizers, optimizer)) return { reason: `there is no optimizer ${optimizer}` };
  const make = optimizers[optimizer as keyof typeof optimizers] as Make;
  const inputs = updateInputs(size, tensors);
  const shape = [size / tensors];
  const parameters = inputs.parameters.map(
    (values, i) => new Parameter(fromHost(values, shape, "float32"), { name: `p${i}` }),
  );
  const gradients = inputs.gradients.map((values) => fromHost(values, shape, "float32"));
  const rule = make(parameters, { lr: updateLearningRate });
  const update = compile((given: Tensor[]) => rule.update(given));
  const done = fence();
  return {
    run() {
      update(gradients);
      return done();
    },
    check: async () => samples((await (parameters[0] as Parameter).data()) as ArrayLike<number>),
  };
}
