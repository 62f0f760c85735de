import { writeFileSync } from "node:fs";
import type { MatmulKernel } from "@thalweg/core/backend";
import { testTarget } from "../testKernel.ts";
import { compileMatmul } from "./index.ts";

const { productProgram } = await import("./testProducts.ts");
const list: [string, number, number, number, object, object][] = [
  ["f32_1024", 4096, 4096, 4096, { packed: true, body: "biasRelu" }, {}],
  ["f32_1024_gelu", 4096, 4096, 4096, { packed: true, body: "gelu" }, {}],
  ["f32_nn", 4096, 4096, 4096, { packed: true, a: "packedLines", b: "packedK" }, {}],
  ["f32_unaligned", 4095, 4097, 4096, { packed: true, a: "lines", b: "k" }, {}],
  ["f32_gpt", 1024, 384, 128, { packed: true, body: "biasRelu" }, {}],
  ["f32_gptw", 384, 128, 1024, { packed: true, a: "packedLines", b: "packedLines" }, {}],
  ["f32_mlp", 128, 10, 128, { packed: true, body: "biasRelu" }, {}],
  ["f32_att", 64, 64, 32, { packed: true, batch: [64] }, {}],
  ["tf32", 4096, 4096, 4096, { packed: true, body: "biasRelu" }, { precision: "tf32" }],
  ["tf32_nn", 4096, 4096, 4096, { packed: true, a: "packedLines", b: "packedLines" }, { precision: "tf32" }],
  ["bf16", 4096, 4096, 4096, { packed: true, body: "gelu", storage: ["bfloat16", "bfloat16", "bfloat16"] }, {}],
  [
    "bf16_tn",
    4096,
    4096,
    4096,
    { packed: true, a: "packedLines", b: "packedLines", storage: ["bfloat16", "bfloat16", "float32"] },
    {},
  ],
  [
    "bf16_unaligned",
    4095,
    4097,
    4096,
    { packed: true, a: "lines", b: "k", storage: ["bfloat16", "bfloat16", "float32"] },
    {},
  ],
  ["f64", 1024, 1024, 1024, { packed: true, dtype: "float64", storage: ["float64", "float64", "float64"] }, {}],
  ["huge", 70000, 70000, 64, { packed: true, batch: [3], body: "long" }, {}],
  ["hugefew", 3, 2000000000, 64, { packed: true, batch: [], body: "plain" }, {}],
  ["hugefew2", 2000000000, 3, 64, { packed: true, batch: [], body: "plain" }, {}],
  ["vec1", 1, 4096, 4096, { packed: true, body: "biasRelu" }, {}],
  ["vec4n", 4, 4096, 4096, { packed: true, b: "packedK", body: "biasRelu" }, {}],
  ["vec8bf", 8, 4096, 4096, { packed: true, storage: ["bfloat16", "bfloat16", "bfloat16"] }, {}],
];
let text = '#include "thalweg.cuh"\n';
for (const [name, m, n, k, options, target] of list) {
  const program = productProgram(m, n, k, options as never);
  const start = performance.now();
  const { launches, scratchBytes } = compileMatmul(program.kernels[0] as MatmulKernel, {
    program,
    target: { ...testTarget, ...target },
    guarded: false,
  });
  const l = launches[0] as any;
  console.log(
    name,
    "grid",
    l.grid[0],
    "block",
    l.block[0],
    /Core = (.*);/.exec(l.source)?.[1] ?? "",
    "scratch",
    scratchBytes,
    /eachSum<.*?>/.exec(l.source)?.[0],
    (performance.now() - start).toFixed(2),
    "ms",
  );
  const include = l.source.match(/#include .*\n/g)?.join("") ?? "";
  text += `${include}namespace n_${name} {\n${l.source.replace(/#include .*\n/g, "").replaceAll("KERNEL", name)}}\n`;
}
writeFileSync("/tmp/e/gen.cu", text);
