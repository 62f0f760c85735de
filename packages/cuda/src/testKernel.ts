/**
 * Test support: runs the launches of a Program on the host, apart from driver and addon: kernels are compiled by g++ with
 * the emulation's header and launched by a small program over the emulation's runtime.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesPerElement, dtypes, type HostArray, type Program } from "@thalweg/core/backend";
import { TestRunner } from "vitest";
import { deviceFolder } from "./device.ts";
import { argumentsOf } from "./kernel/argumentsOf.ts";
import { compileKernel } from "./kernel/compileKernel.ts";
import { guardedKernels } from "./kernel/guard.ts";
import type { Argument, Launch } from "./kernel/launch.ts";
import { functionName, translationUnit } from "./program/translationUnit.ts";
import type { Target } from "./target.ts";

export const testTarget: Target = {
  architecture: 90,
  multiprocessors: 132,
  sharedBytesPerBlock: 232448,
  sharedBytesPerMultiprocessor: 233472,
  l2Bytes: 50 * 2 ** 20,
  precision: "highest",
  cublasLt: false,
};

const emulation = fileURLToPath(new URL("../../../native/cuda/emulation/", import.meta.url));
const flags = ["-std=c++17", "-O1", "-fPIC", "-ffp-contract=off", "-DTHALWEG_EMULATION", "-w"];
const cache = join(tmpdir(), "thalweg-test-kernels");

/** Runs g++. Where there is none, the test that asks is skipped. */
function compiler(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync("g++", args, { encoding: "utf8" });
  if (error && "code" in error && error.code === "ENOENT") {
    TestRunner.getCurrentTest()?.context.skip("no g++");
    throw error;
  }
  if (status !== 0) throw new Error(`g++ ${args.join(" ")}\n${stderr}`);
}

/** Compiles texts to a shared object, in which each has the name `functionName` gives it; gives its path. */
export function compileTexts(sources: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-kernels-"));
  const file = join(folder, "kernels.cpp");
  writeFileSync(file, translationUnit([...new Set(sources)]));
  const output = join(folder, "kernels.so");
  compiler([
    ...flags,
    "-include",
    join(emulation, "emulation.h"),
    `-I${fileURLToPath(deviceFolder)}`,
    "-shared",
    "-o",
    output,
    file,
    "-lm",
  ]);
  return output;
}

const runnerSource = String.raw`
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <dlfcn.h>
#include "launch.h"
// Arguments: kernels, job, result, then the names of functions. A job: blocks of memory, then launches.
static FILE* in;
static uint64_t word() { uint64_t w; if (fread(&w, 8, 1, in) != 1) { fprintf(stderr, "short job\n"); exit(3); } return w; }
int main(int argc, char** argv) {
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 3; }
  emulationBind(library);
  in = fopen(argv[2], "rb");
  std::vector<unsigned char*> blocks; std::vector<uint64_t> sizes;
  for (uint64_t n = word(), i = 0; i < n; i++) {
    uint64_t bytes = word();
    unsigned char* p = (unsigned char*)aligned_alloc(256, (bytes + 511) / 256 * 256);
    memset(p, 0xff, (bytes + 511) / 256 * 256);
    if (bytes && fread(p, 1, bytes, in) != bytes) return 3;
    blocks.push_back(p); sizes.push_back(bytes);
  }
  // Fixes: words of blocks that hold addresses.
  for (uint64_t n = word(), i = 0; i < n; i++) {
    uint64_t block = word(), at = word(), target = word(), offset = word();
    uint64_t address = (uint64_t)(blocks[target] + offset);
    memcpy(blocks[block] + at, &address, 8);
  }
  for (uint64_t n = word(), i = 0; i < n; i++) {
    uint64_t kind = word();
    uint64_t a = word(), b = word();
    unsigned grid[3], size[3]; uint64_t shared = 0;
    if (kind == 0) { for (auto& g : grid) g = (unsigned)word(); for (auto& g : size) g = (unsigned)word(); shared = word(); }
    std::vector<uint64_t> arguments;
    for (uint64_t m = word(), j = 0; j < m; j++) { uint64_t block = word(), offset = word(); arguments.push_back(block == ~0ull ? offset : (uint64_t)(blocks[block] + offset)); }
    if (kind == 0) {
      const char* name = argv[4 + a];
      void* f = dlsym(library, name);
      if (!f) { fprintf(stderr, "no function %s\n", name); return 3; }
      char error[1024] = "";
      if (emulationLaunch(f, grid, size, shared, arguments.data(), (unsigned)arguments.size(), error, sizeof error)) { fprintf(stderr, "launch %llu: %s\n", (unsigned long long)i, error); return 4; }
    } else {
      uint32_t w = (uint32_t)a;
      for (uint64_t j = 0; j < b; j++) memcpy((char*)arguments[0] + 4 * j, &w, 4);
    }
  }
  FILE* out = fopen(argv[3], "wb");
  for (size_t i = 0; i < blocks.size(); i++) fwrite(blocks[i], 1, sizes[i], out);
  fclose(out);
  return 0;
}
`;

function runner(): string {
  const hash = createHash("sha256").update(runnerSource);
  for (const name of ["launch.h", "launch.cc", "emulation.h"]) hash.update(readFileSync(join(emulation, name)));
  const path = join(cache, `runner-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const source = `${path}.${process.pid}.cc`;
  writeFileSync(source, runnerSource);
  const built = `${path}.${process.pid}`;
  compiler([
    "-std=c++20",
    "-O2",
    `-I${emulation}`,
    "-o",
    built,
    source,
    join(emulation, "launch.cc"),
    "-ldl",
    "-lpthread",
    "-rdynamic",
  ]);
  renameSync(built, path);
  return path;
}

/** Thrown where the Program's status says that an index was out of range. */
export class TestIndexError extends Error {}

/**
 * The contents of all buffers but temporaries after a run. `buffers`: what they hold before, in order (zeros for outputs are
 * the caller's).
 */
export function runProgram(
  program: Program,
  buffers: readonly HostArray[],
  uniforms: readonly number[] = [],
  target: Target = testTarget,
): HostArray[] {
  const guarded = guardedKernels(program);
  const compiled = program.kernels.map((kernel, i) =>
    compileKernel(kernel, { program, target, guarded: guarded[i] as boolean }),
  );
  const blocks: Uint8Array[] = [];
  const fixes: number[][] = [];
  const add = (bytes: Uint8Array): number => blocks.push(bytes) - 1;
  let bound = 0;
  const arena = add(new Uint8Array(program.arenaBytes).fill(0xff));
  const places = program.buffers.map(({ kind, offset, dtype, size }) => {
    if (kind === "temporary") return [arena, offset as number] as const;
    const array = buffers[bound++] as HostArray;
    if (array.byteLength !== size * bytesPerElement(dtype)) throw new Error(`buffer ${bound - 1}: wrong size`);
    return [add(new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice()), 0] as const;
  });
  const uniformBytes = new DataView(new ArrayBuffer(8 * Math.max(1, uniforms.length)));
  program.uniforms.forEach(({ dtype }, i) => {
    const value = uniforms[i] as number;
    if (dtype === "float32") uniformBytes.setFloat32(8 * i, value, true);
    else if (dtype === "float64") uniformBytes.setFloat64(8 * i, value, true);
    else if (dtype === "uint32") uniformBytes.setUint32(8 * i, value, true);
    else uniformBytes.setInt32(8 * i, value, true);
  });
  const uniformBlock = add(new Uint8Array(uniformBytes.buffer));
  const status = add(new Uint8Array(32));
  const sources: string[] = [];
  const launches: number[] = [];
  const counterBlocks: number[] = [];
  let count = 0;
  for (const { launches: list, scratchBytes, counterBytes } of compiled) {
    const scratch = add(new Uint8Array(scratchBytes).fill(0xff));
    const counters = add(new Uint8Array(counterBytes));
    counterBlocks.push(counters);
    const place = (argument: Argument): readonly [number, number] => {
      switch (argument.kind) {
        case "buffer": {
          const [block, offset] = places[argument.buffer] as readonly [number, number];
          return [block, offset + (argument.offset ?? 0)];
        }
        case "uniforms":
          return [uniformBlock, 0];
        case "status":
          return [status, 0];
        case "scratch":
          return [scratch, argument.offset];
        case "counters":
          return [counters, argument.offset];
        case "number":
          return [-1, argument.value];
        case "table": {
          const words = new BigInt64Array(argument.buffers.length + argument.constants.length);
          argument.constants.forEach((value, i) => {
            words[argument.buffers.length + i] = BigInt(value);
          });
          const block = add(new Uint8Array(words.buffer));
          argument.buffers.forEach((buffer, i) => {
            fixes.push([block, 8 * i, ...(places[buffer] as readonly [number, number])]);
          });
          return [block, 0];
        }
        default:
          return argument satisfies never;
      }
    };
    for (const launch of list) {
      count++;
      launches.push(...launchWords(launch, sources));
      const args = argumentsOf(launch);
      launches.push(args.length, ...args.flatMap((argument) => place(argument)));
    }
  }
  const results = execute(blocks, fixes, launches, count, sources);
  const view = new DataView((results[status] as Uint8Array).buffer);
  if (view.getInt32(0, true) !== 0)
    throw new TestIndexError(
      `index ${view.getBigInt64(8, true)} is out of range for size ${view.getBigInt64(16, true)}`,
    );
  counterBlocks.forEach((block, i) => {
    if (results[block]?.some((byte) => byte !== 0)) throw new Error(`kernel ${i}: counters are not zero`);
  });
  return program.buffers.flatMap(({ kind, dtype }, i) => {
    if (kind === "temporary") return [];
    const { buffer } = results[(places[i] as readonly [number, number])[0]] as Uint8Array;
    return [new dtypes[dtype].hostView(buffer)];
  });
}

function launchWords(launch: Launch, sources: string[]): number[] {
  switch (launch.kind) {
    case "kernel": {
      let index = sources.indexOf(launch.source);
      if (index < 0) index = sources.push(launch.source) - 1;
      return [0, index, 0, ...launch.grid, ...launch.block, launch.sharedBytes];
    }
    case "fill":
      return [1, launch.word >>> 0, launch.words];
    case "product":
      throw new Error("products by cuBLASLt run on the emulated driver only");
    default:
      return launch satisfies never;
  }
}

/** Runs launches over blocks of memory; gives what the blocks hold after. */
export function execute(
  blocks: readonly Uint8Array[],
  fixes: readonly (readonly number[])[],
  launches: readonly number[],
  count: number,
  sources: readonly string[],
): Uint8Array[] {
  const library = compileTexts(sources);
  const folder = join(library, "..");
  const words = (values: readonly number[]): Uint8Array => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  const parts = [
    words([blocks.length]),
    ...blocks.flatMap((block) => [words([block.length]), block]),
    words([fixes.length, ...fixes.flat()]),
    words([count, ...launches]),
  ];
  const [job, result] = [join(folder, "job"), join(folder, "result")];
  writeFileSync(job, Buffer.concat(parts));
  const { status, stderr, signal } = spawnSync(runner(), [library, job, result, ...sources.map(functionName)], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the kernels failed (${signal ?? status}): ${stderr} in ${folder}`);
  const bytes = readFileSync(result);
  rmSync(folder, { recursive: true });
  let at = 0;
  return blocks.map((block) => {
    const slice = Uint8Array.from(bytes.subarray(at, at + block.length));
    at += block.length;
    return slice;
  });
}
