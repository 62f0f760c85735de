/**
 * A compiled Program: its kernels' functions, and a generated driver that calls them one after the other with their typed
 * arrays, so that a kernel costs no more than a function call.
 */
import type { Executable, HostArray, Kernel, Program } from "@thalweg/core/backend";
import { functionOf, type KernelFunction } from "./codeCache.ts";
import { compileContraction } from "./contraction/index.ts";
import { epilogueEmitter } from "./epilogue.ts";
import { compileIndexed } from "./indexed.ts";
import type { KernelSource } from "./kernelSource.ts";
import { compileLoop } from "./loop/index.ts";
import type { CpuBuffer, Memory } from "./memory.ts";

/** The calls that run one kernel. */
export function sourcesOf(kernel: Kernel, program: Program): KernelSource[] {
  switch (kernel.kind) {
    case "loop":
      return compileLoop(kernel, program);
    case "matmul":
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return [compileContraction(kernel, program, epilogueEmitter(kernel, program))];
    case "scatterAdd":
    case "cumSum":
    case "argSort":
      return [compileIndexed(kernel, program)];
    default:
      return kernel satisfies never;
  }
}

type Driver = (bound: readonly CpuBuffer[], uniforms: Float64Array) => void;
type DriverMaker = (
  functions: readonly KernelFunction[],
  temporaries: readonly (HostArray | undefined)[],
  scratch: readonly (readonly HostArray[])[],
) => Driver;

/** Text of a function that, given the kernels and what does not change from run to run, makes the driver. */
function driverSource(program: Program, calls: readonly KernelSource[], functionIndex: readonly number[]): string {
  const names: string[] = [];
  const constants: string[] = [];
  const arrays: string[] = [];
  let bound = 0;
  program.buffers.forEach(({ kind }, index) => {
    if (kind === "temporary") {
      names.push(`t${index}`);
      constants.push(`const t${index} = temporaries[${index}];`);
    } else {
      names.push(`b${index}`);
      arrays.push(`const b${index} = bound[${bound++}].data;`);
    }
  });
  for (const index of new Set(functionIndex)) constants.push(`const f${index} = functions[${index}];`);
  const body = calls.map((call, position) => {
    const scratch = (call.scratch ?? []).map((_, index) => {
      constants.push(`const s${position}_${index} = scratch[${position}][${index}];`);
      return `s${position}_${index}`;
    });
    const args = [
      ...call.buffers.map((buffer) => names[buffer]),
      ...(call.usesUniforms ? ["uniforms"] : []),
      ...scratch,
      ...(call.size === undefined ? [] : [`${call.size}`]),
    ];
    return `f${functionIndex[position]}(${args.join(", ")});`;
  });
  return `"use strict";\n${constants.join("\n")}\nreturn function (bound, uniforms) {\n${arrays.join("\n")}\n${body.join("\n")}\n};`;
}

export class CpuExecutable implements Executable {
  readonly program: Program;
  /** One function call each, in order. */
  readonly calls: readonly KernelSource[];
  readonly #memory: Memory;
  readonly #functions: readonly KernelFunction[];
  readonly #makeDriver: DriverMaker;
  readonly #uniforms: Float64Array;
  #driver: Driver | undefined;
  #version = -1;

  constructor(program: Program, memory: Memory) {
    this.program = program;
    this.#memory = memory;
    this.calls = program.kernels.flatMap((kernel) => sourcesOf(kernel, program));
    const distinct = [...new Set(this.calls.map((call) => call.source))];
    const positions = new Map(distinct.map((source, index) => [source, index]));
    this.#functions = distinct.map(functionOf);
    const functionIndex = this.calls.map((call) => positions.get(call.source) as number);
    const source = driverSource(program, this.calls, functionIndex);
    this.#makeDriver = new Function("functions", "temporaries", "scratch", source) as DriverMaker;
    this.#uniforms = new Float64Array(program.uniforms.length);
  }

  #bind(): Driver {
    const memory = this.#memory;
    const scratch = this.calls.map((call) => call.scratch ?? []);
    memory.reserve(this.program.arenaBytes, scratch);
    const temporaries = this.program.buffers.map(({ kind, dtype, size, offset }) =>
      kind === "temporary" ? memory.temporary(dtype, offset as number, size) : undefined,
    );
    this.#driver = this.#makeDriver(
      this.#functions,
      temporaries,
      scratch.map((specs) => memory.scratch(specs)),
    );
    this.#version = memory.version;
    return this.#driver;
  }

  run(bound: readonly CpuBuffer[], uniforms: readonly number[]): void {
    const driver = this.#driver === undefined || this.#version !== this.#memory.version ? this.#bind() : this.#driver;
    for (let i = 0; i < uniforms.length; i++) this.#uniforms[i] = uniforms[i] as number;
    driver(bound, this.#uniforms);
  }
}
