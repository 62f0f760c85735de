import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { kernelKinds } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { compileByNvcc, findNvcc, knownArchitectures, readUse, spills } from "../nvcc/nvcc.ts";
import { representativeSamples } from "../nvcc/representative.ts";
import { targetOf, textsOf } from "../nvcc/texts.ts";
import { deviceHeaders } from "./device.ts";
import { functionName } from "./program/translationUnit.ts";

const samples = representativeSamples();
const nvcc = findNvcc();

/** The headers a text includes, and those they include. */
function addHeaders(text: string, found: Set<string>): void {
  for (const [, name] of text.matchAll(/^#include "(.*)"$/gm)) {
    if (found.has(name as string)) continue;
    found.add(name as string);
    addHeaders(deviceHeaders()[name as string] as string, found);
  }
}

describe("the samples", () => {
  it("have every kind of kernel among them", () => {
    const kinds = new Set(samples.flatMap(({ program }) => program.kernels.map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual([...kernelKinds].sort());
  });

  it("use every hand-written header", () => {
    const included = new Set<string>(["thalweg.cuh"]);
    addHeaders(deviceHeaders()["thalweg.cuh"] as string, included);
    for (const { program, precision } of samples) {
      for (const text of textsOf(program, targetOf(90, { precision, cublasLt: false }))) addHeaders(text, included);
    }
    expect([...included].sort()).toEqual(Object.keys(deviceHeaders()).sort());
  });
});

// Each architecture takes some ten seconds of one core.
describe.skipIf(!nvcc)(
  nvcc ? "nvcc" : "nvcc (none on PATH, in CUDA_HOME or in /usr/local/cuda/bin, or no g++ for it)",
  () => {
    it.for(nvcc ? knownArchitectures(nvcc) : [])(
      "compiles every form of kernel for sm_%i, and every value stays in registers",
      { timeout: 400_000 },
      async (architecture) => {
        const names = new Map<string, string>();
        for (const { name, program, precision } of samples) {
          for (const text of textsOf(program, targetOf(architecture, { precision, cublasLt: false }))) {
            if (!names.has(text)) names.set(text, name);
          }
        }
        const { kernels, warnings } = await compileByNvcc(nvcc as string, [...names.keys()], architecture);
        const spilling = kernels
          .filter(spills)
          .map(
            ({ source, registers, spillStores }) =>
              `${names.get(source)}: ${registers} registers, ${spillStores} bytes`,
          );
        expect({ spilling, warnings }).toEqual({ spilling: [], warnings: [] });
      },
    );

    it("says why a text does not compile", { timeout: 60_000 }, async () => {
      const source = `extern "C" __global__ void KERNEL(float* x) { x[0] = nothing; }\n`;
      await expect(compileByNvcc(nvcc as string, [source], 90)).rejects.toThrow('"nothing" is undefined');
    });
  },
);

it("finds what ptxas says of each function", () => {
  const [first, second] = ["first", "second"] as const;
  const log = [
    "ptxas info    : 0 bytes gmem",
    `ptxas info    : Compiling entry function '${functionName(second)}' for 'sm_90'`,
    `ptxas info    : Function properties for ${functionName(second)}`,
    "    32 bytes stack frame, 28 bytes spill stores, 24 bytes spill loads",
    "ptxas info    : Used 128 registers, used 1 barriers, 32 bytes cumulative stack size, 33792 bytes smem",
    `ptxas info    : Compiling entry function '${functionName(first)}' for 'sm_90'`,
    `ptxas info    : Function properties for ${functionName(first)}`,
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
    "ptxas info    : Used 10 registers, used 0 barriers",
    "kernels.cu(7): warning #550-D: variable was set but never used",
  ].join("\n");
  expect(readUse(log, [first, second])).toEqual({
    kernels: [
      { source: first, registers: 10, sharedBytes: 0, stackBytes: 0, spillStores: 0, spillLoads: 0 },
      { source: second, registers: 128, sharedBytes: 33_792, stackBytes: 32, spillStores: 28, spillLoads: 24 },
    ],
    warnings: ["kernels.cu(7): warning #550-D: variable was set but never used"],
  });
  expect(readUse(log, [first, second]).kernels.map(spills)).toEqual([false, true]);
  expect(() => readUse(log, ["third"])).toThrow(`nvcc says nothing of ${functionName("third")}`);
});

it("looks for nvcc on PATH first, then in CUDA_HOME", () => {
  const root = mkdtempSync(join(tmpdir(), "thalweg-nvcc-test-"));
  try {
    for (const file of ["path/nvcc", "compiler/g++", "home/bin/nvcc"]) {
      mkdirSync(join(root, file, ".."), { recursive: true });
      writeFileSync(join(root, file), "");
    }
    const [nvccs, compilers, CUDA_HOME] = ["path", "compiler", "home"].map((folder) => join(root, folder));
    expect(findNvcc({ PATH: `${nvccs}${delimiter}${compilers}`, CUDA_HOME })).toBe(join(root, "path/nvcc"));
    expect(findNvcc({ PATH: compilers, CUDA_HOME })).toBe(join(root, "home/bin/nvcc"));
    expect(findNvcc({ PATH: nvccs, CUDA_HOME })).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});
