/** A compiled Program: its launches, bound to addresses, sent one by one at first and as one CUDA graph from then on. */
import { accessesOf, type Executable, type Kernel, overwrittenBuffers, type Program } from "@thalweg/core/backend";
import { argumentsOf } from "../kernel/argumentsOf.ts";
import { compileKernel } from "../kernel/compileKernel.ts";
import { guardedKernels, kernelMayFail } from "../kernel/guard.ts";
import type { Argument, CompiledKernel, Launch } from "../kernel/launch.ts";
import type { GrowingBlock } from "../memory/growing.ts";
import type { Block, DevicePool } from "../memory/pool.ts";
import type { Uploads } from "../memory/uploads.ts";
import type {
  CudaError,
  NativeContext,
  NativeFunction,
  NativeLaunch,
  NativeProduct,
  NativeSequence,
} from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";
import type { Target } from "../target.ts";
import { Bindings } from "./bindings.ts";
import { kernelDependencies, launchDependencies } from "./dependencies.ts";
import type { Functions } from "./functions.ts";
import type { Products } from "./products.ts";
import { layOutScratch } from "./scratch.ts";
import { layOutState, type StateLayout, uniformsOffset, writeUniform } from "./state.ts";
import { statusProgram } from "./status.ts";
import type { UploadSlots } from "./upload.ts";

/** What the executables of a backend share. */
export interface Machine {
  readonly context: NativeContext;
  readonly target: Target;
  readonly timeline: Timeline;
  readonly pool: DevicePool;
  readonly uploads: Uploads;
  readonly slots: UploadSlots;
  readonly arena: GrowingBlock;
  readonly scratch: GrowingBlock;
  readonly functions: Functions;
  readonly products: Products;
}

interface PlacedLaunch {
  readonly launch: Launch;
  /** Of the kernel it belongs to. */
  readonly kernel: number;
  readonly arguments: readonly Argument[];
}

let executables = 0;

export class CudaExecutable implements Executable {
  readonly program: Program;
  readonly machine: Machine;
  /** The bound buffers, in order. */
  readonly specs: Program["buffers"];
  /** For each of them: whether a run writes to it, and whether it writes all of it before anything reads it. */
  readonly written: readonly boolean[];
  readonly overwritten: readonly boolean[];
  /** Shown in failures; never 0. */
  readonly number = ++executables;
  /** Whether a run may meet an index out of range. */
  readonly mayFail: boolean;
  /** What is freed when nothing refers to this any more; undefined: there is nothing to run. */
  readonly state: Block | undefined;
  readonly #layout: StateLayout;
  readonly #launches: readonly PlacedLaunch[];
  readonly #functions: readonly NativeFunction[];
  readonly #scratchBytes: number;
  /** For each launch those it waits for; undefined: the one before. */
  readonly #after: readonly (readonly number[])[] | undefined;
  /** Whether runs upload anything. */
  readonly #uploads: boolean;
  readonly #bindings: Bindings;
  #sequence: NativeSequence | undefined;
  #runs = 0;
  /** The last submission that may read the tables. */
  #lastRun = 0;

  constructor(program: Program, machine: Machine) {
    this.program = program;
    this.machine = machine;
    const bound = program.buffers.flatMap(({ kind }, index) => (kind === "temporary" ? [] : [index]));
    const written = new Set<number>();
    for (const kernel of program.kernels) {
      for (const { kind, buffer } of accessesOf(kernel)) if (kind === "write") written.add(buffer);
    }
    this.specs = bound.map((buffer) => program.buffers[buffer] as Program["buffers"][number]);
    this.written = bound.map((buffer) => written.has(buffer));
    this.overwritten = overwrittenBuffers(program);
    this.mayFail = program.kernels.some(kernelMayFail);
    const guarded = guardedKernels(program);
    const kernels = program.kernels.map((kernel, i) => this.#compile(kernel, guarded[i] as boolean));
    this.#launches = kernels.flatMap(({ launches }, kernel) =>
      launches.map((launch) => ({ launch, kernel, arguments: argumentsOf(launch) })),
    );
    const scratch = layOutScratch(kernels);
    this.#scratchBytes = scratch.bytes;
    const dependencies = kernelDependencies(program, scratch.shared);
    this.#after =
      dependencies &&
      launchDependencies(
        dependencies,
        kernels.map(({ launches }) => launches.length),
      );
    this.#layout = layOutState(program, kernels);
    this.#uploads = program.uniforms.length > 0 || this.mayFail;
    // Compiled now, so that a run does not wait for it.
    this.#functions = machine.functions.of(
      this.#launches.flatMap(({ launch }) => (launch.kind === "kernel" ? [launch] : [])),
    );
    if (this.#uploads) machine.slots.reserve(this.#layout.uploadBytes);
    this.state = this.#launches.length > 0 ? machine.pool.allocate(this.#layout.bytes) : undefined;
    this.#bindings = new Bindings({
      program,
      launches: this.#launches,
      layout: this.#layout,
      state: this.state?.address ?? 0,
      scratchOffsets: scratch.offsets,
    });
    if (this.state) {
      this.#lastRun = this.state.lastUse;
      const { countersBegin, bytes } = this.#layout;
      if (bytes > countersBegin) {
        machine.timeline.stream.fill(this.state.address + countersBegin, 0, (bytes - countersBegin) / 4);
        machine.timeline.note();
      }
    }
  }

  /** With cuBLASLt where it has an algorithm for what is wanted of it. */
  #compile(kernel: Kernel, guarded: boolean): CompiledKernel {
    const { program } = this;
    const { target, products } = this.machine;
    const compiled = compileKernel(kernel, { program, target, guarded });
    const missing = compiled.launches.some(
      (launch) => launch.kind === "product" && products.of(launch.description) === undefined,
    );
    return missing ? compileKernel(kernel, { program, target: { ...target, cublasLt: false }, guarded }) : compiled;
  }

  /** The label of the kernel that an index out of range can have come from, if there is only one. */
  get failingLabel(): string {
    const labels = this.program.kernels.filter(kernelMayFail).map(({ label }) => label);
    return labels.length === 1 ? (labels[0] as string) : "index";
  }

  #native(): NativeLaunch[] {
    const functions = this.#functions[Symbol.iterator]();
    return this.#launches.map(({ launch }, i): NativeLaunch => {
      const values = this.#bindings.values[i] as readonly number[];
      const order = this.#after ? { after: this.#after[i] as readonly number[] } : {};
      switch (launch.kind) {
        case "kernel": {
          const { grid, block, sharedBytes } = launch;
          const { value } = functions.next();
          if (value === undefined) throw new Error("a launch has no function");
          return { kind: "kernel", function: value, grid, block, sharedBytes, arguments: values, ...order };
        }
        case "fill":
          return { kind: "fill", word: launch.word, words: launch.words, arguments: values, ...order };
        case "product": {
          const product = this.machine.products.of(launch.description) as NativeProduct;
          return { kind: "product", product, arguments: values, ...order };
        }
        default:
          return launch satisfies never;
      }
    });
  }

  /**
   * Makes launches and tables fit these addresses of the bound buffers, and the arena and scratch memory as they now are.
   * What fails here has run nothing, and is made up for the next time.
   */
  bind(addresses: Float64Array): void {
    if (this.state === undefined) return;
    const bindings = this.#bindings;
    const { arena, scratch, context } = this.machine;
    bindings.move(bindings.arena, arena.address(this.program.arenaBytes));
    bindings.move(bindings.scratch, scratch.address(this.#scratchBytes));
    bindings.moveBuffers(addresses);
    const { address } = this.state;
    bindings.changedTables.pass((table) => {
      const { offset, bytes } = bindings.tables[table] as Bindings["tables"][number];
      const { uploads } = this.machine;
      uploads.await(uploads.send(address + offset, bytes, this.#lastRun));
    });
    if (this.#sequence === undefined) {
      this.#sequence = context.createSequence(this.#native());
      bindings.changedLaunches.clear();
    }
    const sequence = this.#sequence;
    bindings.changedLaunches.pass((launch) => {
      sequence.setArguments(launch, bindings.values[launch] as readonly number[]);
    });
    // Building a graph pays from the second run on; many Programs run once.
    if (++this.#runs === 2 && this.#launches.length > 1) this.#instantiate(sequence);
  }

  #instantiate(sequence: NativeSequence): void {
    try {
      sequence.instantiate();
    } catch (error) {
      // A graph takes memory of its own. Without one the launches go one by one, as in the first run.
      if ((error as CudaError).code !== "CUDA_ERROR_OUT_OF_MEMORY") throw error;
    }
  }

  /** Sends a run with what was bound, as the timeline's next submission. */
  send(uniforms: readonly number[]): void {
    if (this.state === undefined || this.#sequence === undefined) return;
    const { timeline, slots } = this.machine;
    const submission = timeline.begin();
    this.#lastRun = submission;
    let from = 0;
    if (this.#uploads) {
      const { view } = slots;
      const at = slots.offset(submission);
      view.setInt32(at + statusProgram, this.number, true);
      const specs = this.program.uniforms;
      for (let i = 0; i < specs.length; i++) {
        const { dtype } = specs[i] as Program["uniforms"][number];
        writeUniform(view, at + uniformsOffset + 8 * i, dtype, uniforms[i] as number);
      }
      from = slots.address(submission);
    }
    const bytes = this.#uploads ? this.#layout.uploadBytes : 0;
    const event = timeline.event(submission);
    try {
      this.#sequence.launch(timeline.stream, bytes > 0 ? this.state.address : 0, from, bytes, event);
    } catch (error) {
      // Part of it may be under way, which whatever comes after this submission must wait for.
      try {
        event.record(timeline.stream);
      } catch {
        // After a fault nothing is.
      }
      throw error;
    }
  }
}
