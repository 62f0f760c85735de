/** Single operations. Both backends compute at once, so what has been returned is finished. */
import type { SpecOf } from "../../spec.ts";
import { elementwiseInputs, layerNormInputs, matmulInputs, samplesAndMean, softmaxInput } from "../../values.ts";
import type { Session } from "../session.ts";
import { layerNorm, type Tfjs, type TfTensor } from "./library.ts";

export function matmulSession(tf: Tfjs, { size }: SpecOf<"matmul">): Session {
  const inputs = matmulInputs(size);
  const [a, b] = [tf.tensor(inputs.a, [size, size]), tf.tensor(inputs.b, [size, size])];
  let product = new Float32Array();
  return {
    run() {
      const c = a.matMul(b);
      product = c.dataSync() as Float32Array<ArrayBuffer>;
      c.dispose();
    },
    check: () => samplesAndMean(product),
  };
}

function onDevice(tf: Tfjs, compute: () => TfTensor): Session {
  let result: TfTensor | undefined;
  return {
    run() {
      result?.dispose();
      result = tf.tidy(compute);
    },
    check: () => samplesAndMean((result as TfTensor).dataSync()),
  };
}

export function elementwiseSession(tf: Tfjs, { size }: SpecOf<"elementwise">): Session {
  const inputs = elementwiseInputs(size);
  const [x, b] = [tf.tensor(inputs.x, [size]), tf.tensor(inputs.b, [size])];
  return onDevice(tf, () => x.mul(1.5).add(b).tanh().mul(x.sigmoid()).add(x.square()));
}

export function softmaxSession(tf: Tfjs, { rows, columns }: SpecOf<"softmax">): Session {
  const x = tf.tensor(softmaxInput(rows, columns), [rows, columns]);
  return onDevice(tf, () => x.softmax());
}

export function layerNormSession(tf: Tfjs, { rows, columns }: SpecOf<"layerNorm">): Session {
  const inputs = layerNormInputs(rows, columns);
  const x = tf.tensor(inputs.x, [rows, columns]);
  const [weight, bias] = [tf.tensor(inputs.weight, [columns]), tf.tensor(inputs.bias, [columns])];
  return onDevice(tf, () => layerNorm(tf, x, weight, bias));
}
