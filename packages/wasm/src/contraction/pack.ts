/**
 * Packing: some lines of an operand (rows of A, columns of B), interleaved so that what a step of k needs stands
 * together: [k][width]. Lines that the panel has and the operand does not are zeros.
 */
import { type Expression, i32, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { storeVector } from "../storage/index.ts";
import { elementBytes } from "./product.ts";
import { forSteps } from "./steps.ts";

export interface PanelSource {
  /** Lines that there are. */
  readonly lines: number;
  /** Lines the panel has. */
  readonly width: number;
  /** Bytes from line to line and from k to k in the operand. */
  readonly lineStride: number;
  readonly kStride: number;
}

/** Writes `k` steps of the panel at `to`, from the first line's element at `from`. Neither local is changed. */
export function packPanel(
  lanes: Lanes,
  panel: PanelSource,
  from: Expression<"i32">,
  to: Expression<"i32">,
  k: number | Local<"i32">,
): void {
  const { f } = lanes;
  const { lines, lineStride, kStride } = panel;
  const source = f.local("i32");
  // Offsets in instructions are not negative: lines that run backwards are counted from the last.
  f.set(source, lineStride < 0 ? i32.add(from, (lines - 1) * lineStride) : from);
  const offset = (line: number): number => (lineStride < 0 ? (lines - 1 - line) * -lineStride : line * lineStride);
  const target = f.local("i32");
  f.set(target, to);
  const advance = (steps: number): void => {
    f.set(source, i32.add(source, steps * kStride));
    f.set(target, i32.add(target, steps * panel.width * elementBytes));
  };
  if (lineStride === elementBytes) {
    const unroll = kStride < 0 ? 1 : 4;
    forSteps(f, k, unroll, (steps) => {
      for (let at = 0; at < steps; at++) copyStep(lanes, panel, source, at * kStride, target, at);
      advance(steps);
    });
  } else if (kStride === elementBytes) {
    forSteps(f, k, 4, (steps) => {
      if (steps === 4) transposeSteps(lanes, panel, source, offset, target);
      else for (let at = 0; at < steps; at++) gatherStep(lanes, panel, source, offset, target, at);
      advance(steps);
    });
  } else {
    forSteps(f, k, 1, () => {
      gatherStep(lanes, panel, source, offset, target, 0);
      advance(1);
    });
  }
}

/** `count` lanes of `value` at address + offset. */
function storeLanes(lanes: Lanes, address: Local<"i32">, value: Local<"v128">, offset: number, count: number): void {
  storeVector(lanes, "float32", address, offset, { dtype: "float32", parts: [value] }, count);
}

/** `count` neighbouring elements; the lanes beyond them are 0. */
export function loadLanes({ f }: Lanes, address: Local<"i32">, offset: number, count: number): V128 {
  if (count === 4) return v128.load(address, offset);
  if (count === 1) return v128.load32Zero(address, offset);
  const pair = v128.load64Zero(address, offset);
  return count === 2 ? pair : v128.load32Lane(address, f.let(pair), 2, offset + 2 * elementBytes);
}

/** A step of k whose lines are neighbours. */
function copyStep(
  lanes: Lanes,
  { lines, width }: PanelSource,
  source: Local<"i32">,
  offset: number,
  target: Local<"i32">,
  at: number,
): void {
  const value = lanes.f.local("v128");
  for (let first = 0; first < width; first += 4) {
    const there = Math.max(0, Math.min(4, lines - first));
    lanes.f.set(
      value,
      there === 0 ? (lanes.f32.constant(0) as V128) : loadLanes(lanes, source, offset + first * elementBytes, there),
    );
    storeLanes(lanes, target, value, (at * width + first) * elementBytes, Math.min(4, width - first));
  }
}

/** A step of k, element by element; k strides of steps after the first are not negative. */
function gatherStep(
  { f }: Lanes,
  { lines, width, kStride }: PanelSource,
  source: Local<"i32">,
  offset: (line: number) => number,
  target: Local<"i32">,
  at: number,
): void {
  for (let line = 0; line < width; line++) {
    const element = line < lines ? i32.load(source, offset(line) + at * kStride) : 0;
    f.do(i32.store(target, element, (at * width + line) * elementBytes));
  }
}

/** Four steps of lines along which k runs: 4 × 4 elements at a time, turned over in registers. */
function transposeSteps(
  lanes: Lanes,
  { lines, width }: PanelSource,
  source: Local<"i32">,
  offset: (line: number) => number,
  target: Local<"i32">,
): void {
  const { f } = lanes;
  for (let first = 0; first < width; first += 4) {
    const count = Math.min(4, width - first);
    const rows = Array.from({ length: count }, (_, r) =>
      first + r < lines ? f.let(v128.load(source, offset(first + r))) : (lanes.f32.constant(0) as Local<"v128">),
    );
    transpose(lanes, rows).forEach((column, at) => {
      storeLanes(lanes, target, column, (at * width + first) * elementBytes, count);
    });
  }
}

/** The columns of up to four rows of four: column c holds lane c of every row. */
export function transpose(
  { f }: Lanes,
  rows: readonly Local<"v128">[],
): [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">] {
  const [r0, r1 = r0, r2 = r0, r3 = r1] = rows as readonly [Local<"v128">, ...Local<"v128">[]];
  const low = f.let(shuffle32(r0, r1, [0, 4, 1, 5]));
  const high = f.let(shuffle32(r0, r1, [2, 6, 3, 7]));
  const [others, more] =
    rows.length > 2 ? [f.let(shuffle32(r2, r3, [0, 4, 1, 5])), f.let(shuffle32(r2, r3, [2, 6, 3, 7]))] : [low, high];
  return [
    f.let(shuffle32(low, others, [0, 1, 4, 5])),
    f.let(shuffle32(low, others, [2, 3, 6, 7])),
    f.let(shuffle32(high, more, [0, 1, 4, 5])),
    f.let(shuffle32(high, more, [2, 3, 6, 7])),
  ];
}
