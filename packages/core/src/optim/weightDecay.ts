/** The two places where weight decay enters an update. */
import { add, mul } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { UpdateContext } from "./rule.ts";

interface WithWeightDecay {
  readonly weightDecay: number;
}

interface WithOptionalWeightDecay {
  /** Keras: null stands for none. */
  readonly weightDecay: number | null;
}

/** L2: g + weightDecay p. */
export function withL2<Options extends WithWeightDecay>({
  parameter,
  gradient,
  options,
  scalar,
}: UpdateContext<never, Options> | UpdateContext<string, Options>): Tensor {
  if (options.weightDecay === 0) return gradient;
  return add(
    gradient,
    mul(
      parameter,
      scalar("weightDecay", ({ options }) => options.weightDecay),
    ),
  );
}

/** Decoupled (Loshchilov & Hutter): (1 - lr weightDecay) p. */
export function shrunk<Options extends WithOptionalWeightDecay>({
  parameter,
  options,
  scalar,
}: UpdateContext<never, Options> | UpdateContext<string, Options>): Tensor {
  if (options.weightDecay === 0 || options.weightDecay === null) return parameter;
  return mul(
    parameter,
    scalar("shrink", ({ lr, options }) => 1 - lr * (options.weightDecay ?? 0)),
  );
}

/** `shrunk` by decay that falls as lr² when lr falls: by lr²/(initial lr) · weightDecay. */
export function correctedShrunk<Options extends WithOptionalWeightDecay>({
  parameter,
  options,
  scalar,
}: UpdateContext<never, Options> | UpdateContext<string, Options>): Tensor {
  if (options.weightDecay === 0 || options.weightDecay === null) return parameter;
  return mul(
    parameter,
    scalar("shrink", ({ lr, initialLr, options }) => {
      // A schedule that starts at 0 gives nothing to compare with.
      const fall = initialLr === 0 ? 1 : lr / initialLr;
      return 1 - lr * fall * (options.weightDecay ?? 0);
    }),
  );
}
