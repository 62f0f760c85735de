import { compile, fromHost, linear, mean, Parameter, square, sub, type Tensor, tanh, useBackend } from "@thalweg/core";
import { adam } from "@thalweg/core/optim";
import { cuda } from "./index.ts";
import { emulatedCuda } from "./testEmulation.ts";
import { cpu } from "@thalweg/cpu-js";
function numbers(shape: readonly number[], seed: number): Tensor {
  let state = seed;
  const host = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return fromHost(host, shape, "float32");
}
function trainStep(hidden: number): (batch: number) => Tensor {
  const parameters = [[hidden, 64], [hidden], [1, hidden], [1]].map(
    (shape, i) => new Parameter(numbers(shape, i + 1), { name: `p${i}` }),
  );
  const [w1, b1, w2, b2] = parameters as [Parameter, Parameter, Parameter, Parameter];
  const optimizer = adam(parameters, { lr: 1e-2 });
  const step = compile((x: Tensor, y: Tensor) =>
    optimizer.minimize(mean(square(sub(linear(tanh(linear(x, w1, b1)), w2, b2), y)))),
  );
  return (batch) => step(numbers([16, 64], batch), numbers([16, 1], batch + 7));
}
const n = Number(process.argv[2] ?? 10);
for (const b of [await cpu(), await emulatedCuda()]) {
  useBackend(b);
  console.log(b.description);
  const step = trainStep(32);
  const t0 = performance.now();
  const losses: Tensor[] = [];
  for (let i = 0; i < n; i++) losses.push(step(i % 5));
  const values = [];
  for (const l of losses) values.push(await l.item());
  console.log(values.slice(-5), performance.now() - t0);
  b.dispose();
}
