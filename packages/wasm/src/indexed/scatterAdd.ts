/** scatterAdd: nested loops over running addresses, so that no coordinate is ever computed from another. */
import { bytesPerElement, type DType, type IndexedKernel, type Program } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import { type FunctionBuilder, type I32, i32, type Label, type Local } from "../emit/index.ts";
import type { Features } from "../features.ts";
import { type Lanes, scalarLanes } from "../lanes/index.ts";
import type { CompiledKernel } from "../launch.ts";
import { binaryOperation } from "../operations/index.ts";
import { loadVector, storeVector } from "../storage/index.ts";
import { type ScatterLoop, type ScatterPlan, scatterPlan } from "./scatterLoops.ts";
import { type Share, taskShare } from "./taskShare.ts";

type ScatterAdd = Extract<IndexedKernel, { kind: "scatterAdd" }>;

/** Vectors of neighbours, or elements alone, added per turn of the innermost loop. */
const unroll = 4;

/** What the code depends on beside its loops. */
interface Operands {
  readonly target: DType;
  readonly source: DType;
  readonly unsigned: boolean;
  /** Bytes from the buffer's start to the operand's first element. */
  readonly indexOffset: number;
  readonly sourceOffset: number;
  /** Elements of the target along the scattered axis, and the bytes between them. */
  readonly size: number;
  readonly stride: number;
}

export function compileScatterAdd(kernel: ScatterAdd, program: Program, features: Features): CompiledKernel {
  if (kernel.shape.includes(0)) return { launches: [], scratchBytes: 0 };
  const { target, index, source, axis, targetShape } = kernel;
  const dtypeOf = (buffer: number): DType => program.buffers[buffer]?.dtype as DType;
  const plan = scatterPlan(kernel, program, unroll * (features.simd ? 4 : 1));
  const inner = targetShape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const operands: Operands = {
    target: dtypeOf(target),
    source: dtypeOf(source.buffer),
    unsigned: dtypeOf(index.buffer) === "uint32",
    indexOffset: index.offset * bytesPerElement(dtypeOf(index.buffer)),
    sourceOffset: source.offset * bytesPerElement(dtypeOf(source.buffer)),
    size: targetShape[axis] as number,
    stride: inner * bytesPerElement(dtypeOf(target)),
  };
  return {
    launches: [
      {
        key: JSON.stringify(["scatterAdd", operands, plan]),
        pointers: [target, index.buffer, source.buffer].map((buffer) => ({ kind: "buffer", buffer })),
        tasks: plan.tasks,
        build: (f, code) => new ScatterWriter(f, code, operands, plan).write(),
      },
    ],
    scratchBytes: 0,
  };
}

/** Addresses of the three operands at some point of the loops. */
interface Addresses {
  readonly target: Local<"i32">;
  readonly index: Local<"i32">;
  readonly source: Local<"i32">;
}
type Operand = keyof Addresses;

class ScatterWriter {
  readonly #f: FunctionBuilder;
  readonly #code: Code;
  readonly #operands: Operands;
  readonly #plan: ScatterPlan;
  readonly #vectors: Lanes;
  readonly #elements: Lanes;
  /** Elements of a turn of the loop along neighbours. */
  readonly #block: number;
  /** What was read last: told when it is out of range. */
  readonly #index: Local<"i32">;
  /** What is this task's of that which tasks share out. */
  #share: Share = { from: 0, to: 0 };

  constructor(f: FunctionBuilder, code: Code, operands: Operands, plan: ScatterPlan) {
    this.#f = f;
    this.#code = code;
    this.#operands = operands;
    this.#plan = plan;
    this.#vectors = code.lanes(f);
    this.#elements = scalarLanes(f);
    this.#block = unroll * this.#vectors.count;
    this.#index = f.local("i32");
  }

  write(): void {
    const f = this.#f;
    const { split, tasks, loops } = this.#plan;
    const { indexOffset, sourceOffset, size, unsigned } = this.#operands;
    if (split !== "nothing") {
      const loop = split === "places" ? { size, unit: 1 } : (loops[split] as ScatterLoop);
      this.#share = taskShare(f, f.parameter(3, "i32"), Math.ceil(loop.size / loop.unit), tasks);
    }
    f.block((bad) => {
      this.#nest(0, bad, {
        target: f.parameter(0, "i32"),
        index: f.let(i32.add(f.parameter(1, "i32"), indexOffset)),
        source: f.let(i32.add(f.parameter(2, "i32"), sourceOffset)),
      });
      f.return();
    });
    this.#code.fail(f, this.#index, size, unsigned);
  }

  /** The loops from `depth` on, at these addresses. */
  #nest(depth: number, bad: Label, at: Addresses): void {
    const { loops, indexDepth, split } = this.#plan;
    if (depth !== indexDepth || depth === loops.length) this.#loop(depth, bad, at);
    else if (split !== "places") this.#loop(depth, bad, { ...at, target: this.#place(bad, at, 0) });
    else this.#f.block((skip) => this.#loop(depth, bad, { ...at, target: this.#place(bad, at, 0, skip) }));
  }

  #loop(depth: number, bad: Label, at: Addresses): void {
    const f = this.#f;
    const { loops, indexDepth, vector } = this.#plan;
    const loop = loops[depth] as ScatterLoop;
    const innermost = depth === loops.length - 1;
    if (innermost && vector) {
      this.#addNeighbours(loop, this.#turnsOf(depth, this.#block), at);
      return;
    }
    const turns = this.#turnsOf(depth, 1);
    const own = this.#copies(loop, at, turns.from);
    if (!innermost) {
      f.for(f.local("i32"), turns.from, turns.to, 1, () => {
        this.#nest(depth + 1, bad, own);
        this.#advance(loop, own, 1);
      });
      return;
    }
    const readsIndex = indexDepth === loops.length;
    this.#addElements(loop, turns, own, (turn) =>
      this.#add(this.#elements, turn * loop.target, turn * loop.source, 1, {
        ...own,
        target: readsIndex ? this.#place(bad, own, turn * loop.index) : own.target,
      }),
    );
  }

  /** This task's turns of a loop that takes `step` elements a turn; what is left at the end counts as a turn. */
  #turnsOf(depth: number, step: number): Share {
    const f = this.#f;
    const { size, unit } = this.#plan.loops[depth] as ScatterLoop;
    const all = Math.ceil(size / step);
    const { from, to } = this.#share;
    if (this.#plan.split !== depth || typeof from === "number" || typeof to === "number") return { from: 0, to: all };
    const end = f.let(i32.mul(to, unit / step));
    return {
      from: f.let(i32.mul(from, unit / step)),
      to: f.let(i32.select(i32.ltS(end, all), end, all)),
    };
  }

  /**
   * Reads an index, leaves by `bad` if it is out of range, and gives the address in the target that it chooses. With
   * `skip` leaves by that if the place is another task's.
   */
  #place(bad: Label, at: Addresses, offset: number, skip?: Label): Local<"i32"> {
    const f = this.#f;
    const { size, stride } = this.#operands;
    f.set(this.#index, i32.load(at.index, offset));
    if (skip) {
      const { from, to } = this.#share;
      f.if(i32.geU(i32.sub(this.#index, from), i32.sub(to, from)), () => {
        f.brIf(bad, i32.geU(this.#index, size));
        f.br(skip);
      });
    } else f.brIf(bad, i32.geU(this.#index, size));
    return f.let(i32.add(at.target, i32.mul(this.#index, stride)));
  }

  /** Addresses that a loop may change, at its turn `from`; those that it does not move are the ones given. */
  #copies(loop: ScatterLoop, at: Addresses, from: I32): Addresses {
    const f = this.#f;
    const copy = (operand: Operand): Local<"i32"> => {
      if (loop[operand] === 0) return at[operand];
      const own = f.local("i32");
      f.set(own, i32.add(at[operand], i32.mul(from, loop[operand])));
      return own;
    };
    return { target: copy("target"), index: copy("index"), source: copy("source") };
  }

  #advance(loop: ScatterLoop, at: Addresses, turns: number): void {
    for (const operand of ["target", "index", "source"] as const) {
      if (loop[operand] !== 0) this.#f.set(at[operand], i32.add(at[operand], turns * loop[operand]));
    }
  }

  /** A loop over elements alone: `element` writes what is done `turn` turns on from the addresses. */
  #addElements(loop: ScatterLoop, { from, to }: Share, at: Addresses, element: (turn: number) => void): void {
    const f = this.#f;
    // Turns ahead are offsets in loads and stores, which cannot be negative.
    const several = loop.target < 0 || loop.index < 0 || loop.source < 0 ? 1 : unroll;
    const body = (count: number) => (): void => {
      for (let turn = 0; turn < count; turn++) element(turn);
      this.#advance(loop, at, count);
    };
    if (typeof from === "number" && typeof to === "number") {
      const whole = to - from - ((to - from) % several);
      f.for(f.local("i32"), 0, whole, several, body(several));
      if (whole < to - from) body(to - from - whole)();
      return;
    }
    const done = f.local("i32");
    const whole = f.let(i32.sub(to, several - 1));
    f.for(done, from, whole, several, body(several));
    if (several > 1) f.for(done, done, to, 1, body(1));
  }

  /** The last loop, where elements of source and target lie side by side: blocks, the last of which may be smaller. */
  #addNeighbours(loop: ScatterLoop, { from, to }: Share, at: Addresses): void {
    const f = this.#f;
    const lanes = this.#vectors;
    const block = this.#block;
    const whole = Math.floor(loop.size / block);
    const rest = loop.size - whole * block;
    const own = this.#copies(loop, at, typeof from === "number" ? from * block : i32.mul(from, block));
    const add = (count: number): void => {
      for (let first = 0; first < count; first += lanes.count) {
        this.#add(lanes, first * loop.target, first * loop.source, Math.min(lanes.count, count - first), own);
      }
    };
    const end = typeof to === "number" ? whole : f.let(i32.select(i32.ltS(to, whole), to, whole));
    f.for(f.local("i32"), from, end, 1, () => {
      add(block);
      this.#advance(loop, own, block);
    });
    if (rest === 0) return;
    if (typeof to === "number") add(rest);
    else f.if(i32.gtS(to, whole), () => add(rest));
  }

  /** `count` neighbours of the source, which lie `sourceOffset` bytes on, to those in the target, `targetOffset` on. */
  #add(lanes: Lanes, targetOffset: number, sourceOffset: number, count: number, at: Addresses): void {
    const { target, source } = this.#operands;
    const before = loadVector(lanes, target, at.target, targetOffset, count);
    const added = loadVector(lanes, source, at.source, sourceOffset, count);
    const sum = binaryOperation(this.#code, lanes, "add", before, added);
    storeVector(lanes, target, at.target, targetOffset, sum, count);
  }
}
