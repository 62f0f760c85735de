/** A compiled Program: its module, and the table through which it finds everything. */
import { BackendError, type Executable, IndexError, overwrittenBuffers, type Program } from "@thalweg/core/backend";
import { Code } from "../code.ts";
import { engine, type WasmFunction } from "../engine.ts";
import type { Features } from "../features.ts";
import type { CompiledKernel } from "../launch.ts";
import type { GrowingBlock } from "../memory/growing.ts";
import type { Heap } from "../memory/heap.ts";
import { control } from "../threads/control.ts";
import type { Pool } from "../threads/pool.ts";
import { emitDriver } from "./driver.ts";
import { mathFunctions } from "./mathFunctions.ts";
import { layOut, type TableLayout, tableOffsets } from "./table.ts";

/** What the executables of a backend share. */
export interface Machine {
  readonly features: Features;
  readonly heap: Heap;
  readonly arena: GrowingBlock;
  readonly scratch: GrowingBlock;
  /** All threads' own memory, one after the other. */
  readonly threadMemory: GrowingBlock;
  readonly threads: number;
  readonly pool: Pool | undefined;
  readonly mayWait: boolean;
}

let executables = 0;

/** The module of a Program, and what it needs. */
interface Assembled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly layout: TableLayout;
  readonly scratchBytes: number;
  readonly threadBytes: number;
  /** Whether some launch has tasks for several threads. */
  readonly parallel: boolean;
}

function assemble(
  program: Program,
  kernels: readonly CompiledKernel[],
  features: Features,
  options: { readonly maximumPages: number; readonly parallel: boolean; readonly mayWait: boolean },
): Assembled {
  const layout = layOut(program, kernels);
  const launches = kernels.flatMap((kernel) => kernel.launches);
  const threadBytes = launches.reduce((most, launch) => Math.max(most, launch.threadBytes ?? 0), 0);
  const roundedThreadBytes = Math.ceil(threadBytes / 64) * 64;
  const code = new Code(features, options.maximumPages, options.parallel);
  emitDriver(code, program, kernels, layout, { ...options, threadBytes: roundedThreadBytes });
  return {
    bytes: code.module.toBytes(),
    layout,
    scratchBytes: kernels.reduce((most, kernel) => Math.max(most, kernel.scratchBytes), 0),
    threadBytes: roundedThreadBytes,
    parallel: options.parallel && launches.some(({ tasks }) => tasks > 1),
  };
}

export class WasmExecutable implements Executable {
  readonly program: Program;
  readonly #machine: Machine;
  readonly #assembled: Omit<Assembled, "bytes">;
  /** For each buffer that is bound, in order: whether the Program writes all of it before it reads any. */
  readonly overwritten: readonly boolean[];
  readonly #id = ++executables;
  readonly #run: WasmFunction;
  /** Address of the table, and of the module's bytes, which workers read. */
  readonly #table: number;
  readonly #module: number;
  readonly #moduleLength: number;

  /** `kernels`: those of the Program, compiled, in order. */
  constructor(program: Program, kernels: readonly CompiledKernel[], machine: Machine) {
    if (!engine) throw new BackendError("wasm", "there is no WebAssembly here");
    const { heap, features, pool, mayWait } = machine;
    this.program = program;
    this.overwritten = overwrittenBuffers(program);
    this.#machine = machine;
    const parallel = pool !== undefined;
    const { maximumPages } = heap;
    const { bytes, ...rest } = assemble(program, kernels, features, { maximumPages, parallel, mayWait });
    this.#assembled = rest;
    const instance = new engine.Instance(new engine.Module(bytes), {
      env: { memory: heap.memory },
      math: mathFunctions,
    });
    this.#run = instance.exports.run as WasmFunction;
    this.#table = heap.allocate(rest.layout.bytes);
    this.#moduleLength = bytes.length;
    this.#module = rest.parallel ? heap.allocate(bytes.length) : 0;
    if (rest.parallel) heap.bytes.set(bytes, this.#module);
    this.#writeConstants();
  }

  /** Blocks of the heap that are this executable's own. */
  get blocks(): readonly number[] {
    return this.#module === 0 ? [this.#table] : [this.#table, this.#module];
  }

  #writeConstants(): void {
    const { words } = this.#machine.heap;
    for (const [pointer, offset] of this.#assembled.layout.tables) {
      words.set(pointer.constants, (this.#table + offset) / 4 + pointer.buffers.length);
    }
  }

  /** Writes where everything is, and the uniforms. `addresses`: of the buffers that are no temporaries, in order. */
  #bind(addresses: readonly number[], uniforms: readonly number[]): void {
    const { heap, arena, scratch, threadMemory, threads } = this.#machine;
    const { layout, scratchBytes, threadBytes } = this.#assembled;
    const arenaAddress = arena.atLeast(this.program.arenaBytes);
    const scratchAddress = scratch.atLeast(scratchBytes);
    const threadAddress = threadMemory.atLeast(threadBytes * threads);
    const { words } = heap;
    const table = this.#table / 4;
    words[table + tableOffsets.arena / 4] = arenaAddress;
    words[table + tableOffsets.scratch / 4] = scratchAddress;
    words[table + tableOffsets.thread / 4] = threadAddress;
    const first = table + tableOffsets.buffers / 4;
    for (let i = 0; i < addresses.length; i++) words[first + i] = addresses[i] as number;
    for (const [pointer, offset] of layout.tables) {
      let at = table + offset / 4;
      for (const buffer of pointer.buffers) {
        const bound = layout.bound[buffer];
        words[at++] =
          bound === undefined
            ? arenaAddress + (this.program.buffers[buffer]?.offset as number)
            : (words[table + bound / 4] as number);
      }
    }
    const { doubles, floats } = heap;
    for (let i = 0; i < uniforms.length; i++) {
      const value = uniforms[i] as number;
      const at = (this.#table + layout.uniforms) / 8 + i;
      switch (this.program.uniforms[i]?.dtype) {
        case "float64":
          doubles[at] = value;
          break;
        case "float32":
          floats[2 * at] = value;
          break;
        case "bool":
          words[2 * at] = value === 0 ? 0 : 1;
          break;
        default:
          // uint32 too: the word keeps the low 32 bits.
          words[2 * at] = value;
      }
    }
  }

  run(addresses: readonly number[], uniforms: readonly number[]): void {
    const { pool, heap } = this.#machine;
    this.#bind(addresses, uniforms);
    const parallel = pool !== undefined && this.#assembled.parallel;
    if (parallel) pool.choose(this.#id, this.#module, this.#moduleLength);
    let failed: number;
    try {
      failed = this.#run(this.#table);
    } catch (error) {
      if (parallel) pool.quiet();
      heap.words[control.failed / 4] = 0;
      throw new BackendError("wasm", `a kernel crashed: ${String(error)}`);
    }
    if (failed !== 0) heap.words[control.failed / 4] = 0;
    if (parallel) pool.checkCrash();
    if (failed !== 0) throw this.#indexError(failed - 1, heap.words);
  }

  #indexError(kernel: number, words: Int32Array): IndexError {
    const index = words[control.failedIndex / 4] as number;
    const shown = words[control.failedUnsigned / 4] === 0 ? index : index >>> 0;
    const label = this.program.kernels[kernel]?.label as string;
    return new IndexError(label, `index ${shown} is out of range for size ${words[control.failedSize / 4]}`);
  }
}
