/** Single operations, each a function under `jit`. */
import type { SpecOf } from "../../spec.ts";
import { elementwiseInputs, layerNormInputs, matmulInputs, samplesAndMean, softmaxInput } from "../../values.ts";
import type { Session } from "../session.ts";
import { arrayOf, type Jax, type JaxArray } from "./library.ts";

export function matmulSession(jax: Jax, { size }: SpecOf<"matmul">): Session {
  const inputs = matmulInputs(size);
  const [a, b] = [arrayOf(jax, inputs.a, [size, size]), arrayOf(jax, inputs.b, [size, size])];
  const multiply = jax.jit((x: JaxArray, y: JaxArray) => jax.numpy.matmul(x, y));
  let product = new Float32Array();
  return {
    run() {
      product = multiply(a.ref, b.ref).dataSync() as Float32Array<ArrayBuffer>;
    },
    check: () => samplesAndMean(product),
  };
}

function onDevice(jax: Jax, compute: () => JaxArray): Session {
  let result: JaxArray | undefined;
  return {
    async run() {
      result?.dispose();
      result = compute();
      await jax.blockUntilReady(result);
    },
    check: () => samplesAndMean((result as JaxArray).ref.dataSync()),
  };
}

export function elementwiseSession(jax: Jax, { size }: SpecOf<"elementwise">): Session {
  const { nn, numpy } = jax;
  const inputs = elementwiseInputs(size);
  const [x, b] = [numpy.array(inputs.x), numpy.array(inputs.b)];
  const chain = jax.jit((u: JaxArray, v: JaxArray) =>
    numpy.tanh(u.ref.mul(1.5).add(v)).mul(nn.sigmoid(u.ref)).add(numpy.square(u)),
  );
  return onDevice(jax, () => chain(x.ref, b.ref));
}

export function softmaxSession(jax: Jax, { rows, columns }: SpecOf<"softmax">): Session {
  const x = arrayOf(jax, softmaxInput(rows, columns), [rows, columns]);
  const normalize = jax.jit((u: JaxArray) => jax.nn.softmax(u, -1));
  return onDevice(jax, () => normalize(x.ref));
}

export function layerNormSession(jax: Jax, { rows, columns }: SpecOf<"layerNorm">): Session {
  const inputs = layerNormInputs(rows, columns);
  const x = arrayOf(jax, inputs.x, [rows, columns]);
  const [weight, bias] = [jax.numpy.array(inputs.weight), jax.numpy.array(inputs.bias)];
  const normalize = jax.jit((u: JaxArray, w: JaxArray, v: JaxArray) =>
    jax.nn.standardize(u, -1, { epsilon: 1e-5 }).mul(w).add(v),
  );
  return onDevice(jax, () => normalize(x.ref, weight.ref, bias.ref));
}
