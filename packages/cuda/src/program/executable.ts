/** A compiled Program: its launches, bound to addresses, sent one by one at first and as one CUDA graph from then on. */
import { type Executable, type Kernel, overwrittenBuffers, type Program } from "@thalweg/core/backend";
import { argumentsOf } from "../kernel/argumentsOf.ts";
import { compileKernel } from "../kernel/compileKernel.ts";
import { guardedKernels, programMayFail } from "../kernel/guard.ts";
import type { Argument, CompiledKernel, KernelLaunch, Launch } from "../kernel/launch.ts";
import type { GrowingBlock } from "../memory/growing.ts";
import type { Block, DevicePool } from "../memory/pool.ts";
import type { Uploads } from "../memory/uploads.ts";
import type { NativeContext, NativeLaunch, NativeProduct, NativeSequence } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";
import type { Target } from "../target.ts";
import { kernelDependencies, launchDependencies } from "./dependencies.ts";
import type { Functions } from "./functions.ts";
import type { Products } from "./products.ts";
import { layOutScratch } from "./scratch.ts";
import { layOutState, type StateLayout, tableBytes, uniformsOffset, writeUniform } from "./state.ts";
import { writeStatus } from "./status.ts";
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
  /** Address of the backend's own status, which keeps the first failure. */
  readonly failure: number;
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
  /** For every bound buffer: whether a run writes all of it before anything reads it. */
  readonly overwritten: readonly boolean[];
  /** Shown in failures; never 0. */
  readonly number = ++executables;
  /** What is freed when nothing refers to this any more. */
  readonly state: Block | undefined;
  readonly #machine: Machine;
  readonly #layout: StateLayout;
  readonly #launches: readonly PlacedLaunch[];
  readonly #scratchBytes: number;
  /** Byte of the scratch memory of each kernel. */
  readonly #scratchOffsets: readonly number[];
  /** For each launch those it waits for; undefined: the one before. */
  readonly #after: readonly (readonly number[])[] | undefined;
  /** Whether runs upload anything. */
  readonly #uploads: boolean;
  /** Buffer of the Program by its place among the bound ones, and the other way round. */
  readonly #bound: readonly number[];
  readonly #placeOf: ReadonlyMap<number, number>;
  #sequence: NativeSequence | undefined;
  /** What the sequence's arguments were computed with. */
  #addresses: number[] = [];
  #arena = 0;
  #scratch = 0;
  #runs = 0;

  constructor(program: Program, machine: Machine) {
    this.program = program;
    this.#machine = machine;
    this.overwritten = overwrittenBuffers(program);
    const guarded = guardedKernels(program);
    const kernels = program.kernels.map((kernel, i) => this.#compile(kernel, guarded[i] as boolean));
    this.#launches = kernels.flatMap(({ launches }, kernel) =>
      launches.map((launch) => ({ launch, kernel, arguments: argumentsOf(launch) })),
    );
    const scratch = layOutScratch(kernels);
    this.#scratchBytes = scratch.bytes;
    this.#scratchOffsets = scratch.offsets;
    // Kernels that share scratch memory cannot run side by side.
    const dependencies = scratch.shared ? undefined : kernelDependencies(program);
    this.#after =
      dependencies &&
      launchDependencies(
        dependencies,
        kernels.map(({ launches }) => launches.length),
      );
    this.#layout = layOutState(program, kernels);
    this.#uploads = program.uniforms.length > 0 || programMayFail(program);
    this.#bound = program.buffers.flatMap(({ kind }, index) => (kind === "temporary" ? [] : [index]));
    this.#placeOf = new Map(this.#bound.map((buffer, place) => [buffer, place]));
    // Compiled now, so that a run does not wait for it.
    machine.functions.of(this.#kernelLaunches());
    const own = this.#layout.bytes;
    this.state = this.#launches.length > 0 ? machine.pool.allocate(own) : undefined;
    if (this.state && own > this.#layout.countersBegin) {
      const { address } = this.state;
      const begin = address + this.#layout.countersBegin;
      machine.timeline.stream.fill(begin, 0, (own - this.#layout.countersBegin) / 4);
    }
    if (this.#uploads) machine.slots.reserve(this.#layout.uploadBytes);
  }

  /** With cuBLASLt where it has an algorithm for what is wanted of it. */
  #compile(kernel: Kernel, guarded: boolean): CompiledKernel {
    const { program } = this;
    const { target, products } = this.#machine;
    const compiled = compileKernel(kernel, { program, target, guarded });
    const missing = compiled.launches.some(
      (launch) => launch.kind === "product" && products.of(launch.description) === undefined,
    );
    return missing ? compileKernel(kernel, { program, target: { ...target, cublasLt: false }, guarded }) : compiled;
  }

  #kernelLaunches(): KernelLaunch[] {
    return this.#launches.flatMap(({ launch }) => (launch.kind === "kernel" ? [launch] : []));
  }

  /** The label of the kernel that an index out of range can have come from, if there is only one. */
  get failingLabel(): string {
    const labels = this.program.kernels.flatMap((kernel) =>
      programMayFail({ ...this.program, kernels: [kernel] }) ? [kernel.label] : [],
    );
    return labels.length === 1 ? (labels[0] as string) : "index";
  }

  #addressOf(buffer: number): number {
    const place = this.#placeOf.get(buffer);
    if (place !== undefined) return this.#addresses[place] as number;
    return this.#arena + (this.program.buffers[buffer]?.offset as number);
  }

  #place(argument: Argument, kernel: number): number {
    const state = this.state?.address as number;
    switch (argument.kind) {
      case "buffer":
        return this.#addressOf(argument.buffer) + (argument.offset ?? 0);
      case "uniforms":
        return state + uniformsOffset;
      case "status":
        return state;
      case "scratch":
        return this.#scratch + (this.#scratchOffsets[kernel] as number) + argument.offset;
      case "counters":
        return state + (this.#layout.counters[kernel] as number) + argument.offset;
      case "table":
        return state + (this.#layout.tables.find(({ table }) => table === argument)?.offset as number);
      case "number":
        return argument.value;
      default:
        return argument satisfies never;
    }
  }

  #values({ arguments: list, kernel }: PlacedLaunch): number[] {
    return list.map((argument) => this.#place(argument, kernel));
  }

  #native(): NativeLaunch[] {
    const functions = this.#machine.functions.of(this.#kernelLaunches())[Symbol.iterator]();
    return this.#launches.map((placed, i): NativeLaunch => {
      const { launch } = placed;
      const values = this.#values(placed);
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
        case "product":
          return {
            kind: "product",
            product: this.#machine.products.of(launch.description) as NativeProduct,
            arguments: values,
            ...order,
          };
        default:
          return launch satisfies never;
      }
    });
  }

  /** Tables that name a buffer that moved; without `moved` all. */
  #sendTables(moved?: ReadonlySet<number>): void {
    const { uploads, timeline } = this.#machine;
    for (const { table, offset } of this.#layout.tables) {
      if (moved && !table.buffers.some((buffer) => moved.has(buffer))) continue;
      const bytes = tableBytes(table, (buffer) => this.#addressOf(buffer));
      const address = (this.state as Block).address + offset;
      uploads.await(uploads.send(address, bytes, timeline.submitted));
    }
  }

  /** Makes the sequence fit these addresses: of the bound buffers, the arena and the scratch memory. */
  #bind(addresses: number[]): NativeSequence {
    const { arena, scratch, context } = this.#machine;
    const [arenaAddress, scratchAddress] = [
      arena.address(this.program.arenaBytes),
      scratch.address(this.#scratchBytes),
    ];
    if (this.#sequence === undefined || arenaAddress !== this.#arena || scratchAddress !== this.#scratch) {
      this.#addresses = addresses;
      this.#arena = arenaAddress;
      this.#scratch = scratchAddress;
      this.#sendTables();
      if (this.#sequence === undefined) {
        this.#sequence = context.createSequence(this.#native());
      } else {
        for (const [i, placed] of this.#launches.entries()) this.#sequence.setArguments(i, this.#values(placed));
      }
      return this.#sequence;
    }
    const moved = new Set<number>();
    for (let place = 0; place < addresses.length; place++) {
      if (addresses[place] !== this.#addresses[place]) moved.add(this.#bound[place] as number);
    }
    if (moved.size > 0) this.#rebind(addresses, moved, this.#sequence);
    return this.#sequence;
  }

  /** Launches of each bound buffer. */
  readonly #usersOf = new Map<number, readonly number[]>();

  #users(buffer: number): readonly number[] {
    let users = this.#usersOf.get(buffer);
    if (users === undefined) {
      users = this.#launches.flatMap(({ arguments: list }, i) =>
        list.some((argument) => argument.kind === "buffer" && argument.buffer === buffer) ? [i] : [],
      );
      this.#usersOf.set(buffer, users);
    }
    return users;
  }

  #rebind(addresses: number[], moved: ReadonlySet<number>, sequence: NativeSequence): void {
    this.#addresses = addresses;
    if (this.#layout.tables.length > 0) this.#sendTables(moved);
    const launches = new Set<number>();
    for (const buffer of moved) for (const user of this.#users(buffer)) launches.add(user);
    for (const i of launches) sequence.setArguments(i, this.#values(this.#launches[i] as PlacedLaunch));
  }

  /** Sends a run. `addresses`: of the bound buffers, in order; kept. */
  run(addresses: number[], uniforms: readonly number[]): void {
    if (this.#launches.length === 0) return;
    const { timeline, slots, failure } = this.#machine;
    const sequence = this.#bind(addresses);
    // Building a graph pays from the second run on; many Programs run once.
    if (++this.#runs === 2 && this.#launches.length > 1) sequence.instantiate();
    const { slot, event } = timeline.begin();
    if (!this.#uploads) {
      sequence.launch(timeline.stream, 0, 0, 0, event);
      return;
    }
    const { view } = slots;
    const at = slots.offset(slot);
    writeStatus(view, at, this.number, failure);
    const specs = this.program.uniforms;
    for (let i = 0; i < specs.length; i++) {
      const { dtype } = specs[i] as Program["uniforms"][number];
      writeUniform(view, at + uniformsOffset + 8 * i, dtype, uniforms[i] as number);
    }
    const { address } = this.state as Block;
    sequence.launch(timeline.stream, address, slots.address(slot), this.#layout.uploadBytes, event);
  }
}
