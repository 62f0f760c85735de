/** Single operations, each a compiled function. */
import {
  add,
  cast,
  compile,
  fromHost,
  layerNorm,
  matmul,
  mul,
  sigmoid,
  softmax,
  square,
  type Tensor,
  tanh,
} from "@thalweg/core";
import type { SpecOf } from "../../spec.ts";
import { elementwiseInputs, layerNormInputs, matmulInputs, samplesAndMean, softmaxInput } from "../../values.ts";
import type { Session } from "../session.ts";
import { fence, numbersOf, read } from "./reading.ts";

export function matmulSession({ size, dtype, onDevice: stays = false }: SpecOf<"matmul">): Session {
  const inputs = matmulInputs(size);
  const round = compile((x: Tensor) => (dtype ? cast(x, dtype) : x));
  const place = (values: Float32Array): Tensor => round(fromHost(values, [size, size], "float32"));
  const [a, b] = [place(inputs.a), place(inputs.b)];
  const multiply = compile((x: Tensor, y: Tensor) => matmul(x, y));
  if (stays) return onDevice(() => multiply(a, b));
  let product: ArrayLike<number> = [];
  return {
    run: () => {
      const result = multiply(a, b);
      return read(result, (values) => {
        product = values;
        result.dispose();
      });
    },
    check: () => samplesAndMean(product),
  };
}

/**
 * The result stays on the device; it is read for the check alone. The one before is disposed of first, as
 * PyTorch and the JavaScript peers free theirs: what is measured is the operation, not the engine's collector.
 */
function onDevice(compute: () => Tensor): Session {
  let result: Tensor | undefined;
  return {
    run() {
      result?.dispose();
      result = compute();
    },
    finish: fence(),
    check: async () => samplesAndMean(await numbersOf(result as Tensor)),
  };
}

export function elementwiseSession({ size }: SpecOf<"elementwise">): Session {
  const inputs = elementwiseInputs(size);
  const [x, b] = [fromHost(inputs.x, [size], "float32"), fromHost(inputs.b, [size], "float32")];
  const chain = compile((u: Tensor, v: Tensor) => add(mul(tanh(add(mul(u, 1.5), v)), sigmoid(u)), square(u)));
  return onDevice(() => chain(x, b));
}

export function softmaxSession({ rows, columns }: SpecOf<"softmax">): Session {
  const x = fromHost(softmaxInput(rows, columns), [rows, columns], "float32");
  const normalize = compile((u: Tensor) => softmax(u));
  return onDevice(() => normalize(x));
}

export function layerNormSession({ rows, columns }: SpecOf<"layerNorm">): Session {
  const inputs = layerNormInputs(rows, columns);
  const x = fromHost(inputs.x, [rows, columns], "float32");
  const [weight, bias] = [fromHost(inputs.weight, [columns], "float32"), fromHost(inputs.bias, [columns], "float32")];
  const normalize = compile((u: Tensor, w: Tensor, v: Tensor) =>
    layerNorm(u, { normalizedShape: [columns], weight: w, bias: v, eps: 1e-5 }),
  );
  return onDevice(() => normalize(x, weight, bias));
}
