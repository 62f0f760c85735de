/** The two places where weight decay enters an update. */
import { add, mul } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ScalarContext, UpdateContext } from "./rule.ts";

interface WithWeightDecay {
  readonly weightDecay: number;
}

interface WithOptionalWeightDecay {
  /** Keras: null stands for none. */
  readonly weightDecay: number | null;
}

type Decayed<Options extends object> = UpdateContext<never, Options> | UpdateContext<string, Options>;

/** L2: g + weightDecay p. */
export function withL2<Options extends WithWeightDecay>({
  parameter,
  gradient,
  options,
  scalar,
}: Decayed<Options>): Tensor {
  if (options.weightDecay === 0) return gradient;
  return add(
    gradient,
    mul(
      parameter,
      scalar("weightDecay", ({ options }) => options.weightDecay),
    ),
  );
}

/** (1 - rate weightDecay) p. */
function shrunkBy<Options extends WithOptionalWeightDecay>(
  { parameter, options, scalar }: Decayed<Options>,
  rate: (context: ScalarContext<Options>) => number,
): Tensor {
  if (options.weightDecay === 0 || options.weightDecay === null) return parameter;
  return mul(
    parameter,
    scalar("shrink", (context) => 1 - rate(context) * (context.options.weightDecay ?? 0)),
  );
}

/** Decoupled (Loshchilov & Hutter): (1 - lr weightDecay) p. */
export const shrunk = <Options extends WithOptionalWeightDecay>(context: Decayed<Options>): Tensor =>
  shrunkBy(context, ({ lr }) => lr);

/** `shrunk` by decay that falls as lr² when lr falls: by lr²/(initial lr) · weightDecay. */
export const correctedShrunk = <Options extends WithOptionalWeightDecay>(context: Decayed<Options>): Tensor =>
  // A schedule that starts at 0 gives nothing to compare with.
  shrunkBy(context, ({ lr, initialLr }) => lr * (initialLr === 0 ? 1 : lr / initialLr));
