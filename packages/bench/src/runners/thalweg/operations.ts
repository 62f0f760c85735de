/** Single operations, each a compiled function. */
import {
  add,
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
import { fence, read } from "./reading.ts";

export function matmulSession({ size }: SpecOf<"matmul">): Session {
  const inputs = matmulInputs(size);
  const [a, b] = [fromHost(inputs.a, [size, size], "float32"), fromHost(inputs.b, [size, size], "float32")];
  const multiply = compile((x: Tensor, y: Tensor) => matmul(x, y));
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
 * Runs until the result is there, on the device; it is read for the check alone. The one before is disposed of first, as
 * PyTorch and the JavaScript peers free theirs: what is measured is the operation, not the engine's collector.
 */
function onDevice(compute: () => Tensor): Session {
  const done = fence();
  let result: Tensor | undefined;
  return {
    run() {
      result?.dispose();
      result = compute();
      return done();
    },
    async check() {
      return samplesAndMean((await (result as Tensor).data()) as ArrayLike<number>);
    },
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
