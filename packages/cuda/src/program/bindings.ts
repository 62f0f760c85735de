/**
 * The arguments of a Program's launches as numbers, and its tables as bytes, kept up to date as the memory behind them
 * moves. A run whose memory is where it was costs nothing here, one for which little has moved little.
 */
import type { Program } from "@thalweg/core/backend";
import type { Argument } from "../kernel/launch.ts";
import type { StateLayout } from "./state.ts";
import { uniformsOffset } from "./state.ts";

export interface BoundArguments {
  /** Of the kernel of the Program they belong to. */
  readonly kernel: number;
  readonly arguments: readonly Argument[];
}

export interface BoundTable {
  /** Byte in the Program's state. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface BindingOptions {
  readonly program: Program;
  readonly launches: readonly BoundArguments[];
  readonly layout: StateLayout;
  /** Address of the Program's state. */
  readonly state: number;
  /** Byte of the scratch memory of each kernel. */
  readonly scratchOffsets: readonly number[];
}

/** What has changed and has not been passed on yet, each once. */
class Changes {
  readonly #marked: Uint8Array;
  readonly #list: number[] = [];

  constructor(count: number) {
    this.#marked = new Uint8Array(count);
    for (let i = 0; i < count; i++) this.add(i);
  }

  add(index: number): void {
    if (this.#marked[index]) return;
    this.#marked[index] = 1;
    this.#list.push(index);
  }

  clear(): void {
    for (const index of this.#list.splice(0)) this.#marked[index] = 0;
  }

  /** Calls `pass` for each; what it throws for is still there the next time. */
  pass(pass: (index: number) => void): void {
    for (let index = this.#list.at(-1); index !== undefined; index = this.#list.at(-1)) {
      pass(index);
      this.#marked[index] = 0;
      this.#list.pop();
    }
  }
}

/** A place that holds an address: word `word` of launch or table `owner` is the address plus `offset`. */
interface Use {
  readonly owner: number;
  readonly word: number;
  readonly offset: number;
}

interface Uses {
  readonly launches: Use[];
  readonly tables: Use[];
}

export class Bindings {
  /** Arguments of each launch. */
  readonly values: readonly number[][];
  readonly tables: readonly BoundTable[];
  /** Launches whose arguments have changed, and tables whose bytes have; at first all. */
  readonly changedLaunches: Changes;
  readonly changedTables: Changes;
  /** What moves, as `mover`: the bound buffers in order, then these. */
  readonly arena: number;
  readonly scratch: number;
  readonly #addresses: Float64Array;
  readonly #uses: readonly Uses[];
  readonly #views: readonly DataView[];

  constructor({ program, launches, layout, state, scratchOffsets }: BindingOptions) {
    const places = new Map<number, number>();
    program.buffers.forEach(({ kind }, buffer) => {
      if (kind !== "temporary") places.set(buffer, places.size);
    });
    this.arena = places.size;
    this.scratch = this.arena + 1;
    this.#addresses = new Float64Array(this.scratch + 1).fill(Number.NaN);
    this.#uses = Array.from({ length: this.scratch + 1 }, () => ({ launches: [], tables: [] }));
    const usesOf = (mover: number): Uses => this.#uses[mover] as Uses;
    const ofBuffer = (buffer: number): { mover: number; offset: number } => ({
      mover: places.get(buffer) ?? this.arena,
      offset: program.buffers[buffer]?.offset ?? 0,
    });
    const tableOffsets = new Map(layout.tables.map(({ table, offset }) => [table, offset]));
    this.values = launches.map(({ arguments: list, kernel }, owner) =>
      list.map((argument, word) => {
        switch (argument.kind) {
          case "buffer": {
            const { mover, offset } = ofBuffer(argument.buffer);
            usesOf(mover).launches.push({ owner, word, offset: offset + (argument.offset ?? 0) });
            return 0;
          }
          case "scratch": {
            const offset = (scratchOffsets[kernel] as number) + argument.offset;
            usesOf(this.scratch).launches.push({ owner, word, offset });
            return 0;
          }
          case "uniforms":
            return state + uniformsOffset;
          case "status":
            return state;
          case "counters":
            return state + (layout.counters[kernel] as number) + argument.offset;
          case "table":
            return state + (tableOffsets.get(argument) as number);
          case "number":
            return argument.value;
          default:
            return argument satisfies never;
        }
      }),
    );
    this.tables = layout.tables.map(({ table, offset }) => ({
      offset,
      bytes: new Uint8Array(8 * (table.buffers.length + table.constants.length)),
    }));
    this.#views = this.tables.map(({ bytes }) => new DataView(bytes.buffer));
    layout.tables.forEach(({ table: { buffers, constants } }, owner) => {
      buffers.forEach((buffer, word) => {
        const { mover, offset } = ofBuffer(buffer);
        usesOf(mover).tables.push({ owner, word, offset });
      });
      constants.forEach((value, i) => {
        this.#setWord(owner, buffers.length + i, value);
      });
    });
    this.changedLaunches = new Changes(launches.length);
    this.changedTables = new Changes(this.tables.length);
  }

  /** A 64-bit word of a table. */
  #setWord(table: number, word: number, value: number): void {
    const view = this.#views[table] as DataView;
    const high = Math.floor(value / 2 ** 32);
    view.setUint32(8 * word, value - high * 2 ** 32, true);
    view.setInt32(8 * word + 4, high, true);
  }

  /** The bound buffers are at these addresses now. */
  moveBuffers(addresses: Float64Array): void {
    const current = this.#addresses;
    for (let place = 0; place < this.arena; place++) {
      if (current[place] !== addresses[place]) this.move(place, addresses[place] as number);
    }
  }

  /** What `mover` stands for is at `address` now. */
  move(mover: number, address: number): void {
    if (this.#addresses[mover] === address) return;
    this.#addresses[mover] = address;
    const { launches, tables } = this.#uses[mover] as Uses;
    for (const { owner, word, offset } of launches) {
      (this.values[owner] as number[])[word] = address + offset;
      this.changedLaunches.add(owner);
    }
    for (const { owner, word, offset } of tables) {
      this.#setWord(owner, word, address + offset);
      this.changedTables.add(owner);
    }
  }
}
