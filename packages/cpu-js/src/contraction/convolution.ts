/**
 * The three forms of convolution as blocked products (implicit im2col: the columns of B are gathered patches, made one
 * block at a time):
 * - conv2d: rows are output channels, columns output positions, the depth is (channel, tap);
 * - input gradient: rows are input channels, columns input positions, the depth is (output channel, tap). Positions are
 *   taken by their remainder modulo the stride, because those with the same remainder meet the same taps: each of these
 *   problems is then a convolution of stride 1 with the flipped kernel;
 * - weight gradient: rows are output channels, columns (channel, tap), the depth is the output positions.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { EpilogueEmitter } from "../kernelSource.ts";
import { type Axis, countOf, evenAxis, fromOf, isWhole, longest, productOf, sumOf, wholeAxis } from "./axis.ts";
import { assemble, type BlockedProblem, blockedSource, type PackedOperand, sumStride } from "./blocked.ts";
import { columnsFor, columnTarget, depthTarget, positionAxes, rowTarget } from "./blocking.ts";
import type { FinishVariable } from "./finish.ts";
import { type ImageSpec, imageCall, imageLayout, imageSource, staysInside, type Window } from "./image.ts";
import { type Arguments, isIntegerKernel } from "./operands.ts";

/** Patches of a batch of images, read from a copy with its padding written out, or in place where none is needed. */
interface Patches {
  readonly array: string;
  readonly read: PackedOperand["read"];
  /** JavaScript of the index of the first window's first tap in the current block. */
  readonly start: string;
  /** Strides over image, channel, row, column. */
  readonly strides: readonly [number, number, number, number];
  readonly prepare?: NonNullable<BlockedProblem["prepare"]>;
}

/** `firstChannel`: channel of the source where the current block begins, as terms of a sum. */
function patchesOf(spec: ImageSpec, source: string, firstChannel: readonly (readonly [number, string])[]): Patches {
  const { rows, columns, images, sourceChannels } = spec;
  if (staysInside(rows) && staysInside(columns)) {
    const plane = rows.size * columns.size;
    const start = sumOf(
      [
        [sourceChannels * plane, fromOf(images)],
        ...firstChannel.map(([factor, term]) => [factor * plane, term] as const),
        [rows.step * columns.size, fromOf(rows.axis)],
        [columns.step, fromOf(columns.axis)],
      ],
      rows.shift * columns.size + columns.shift,
    );
    return { array: source, read: spec.read, start, strides: [sourceChannels * plane, plane, columns.size, 1] };
  }
  const { strides, length } = imageLayout(spec);
  return {
    array: "image",
    read: (array, index) => `${array}[${index}]`,
    start: "0",
    strides,
    prepare: { call: imageCall(spec, source, sumOf(firstChannel)), source: imageSource(spec), length },
  };
}

/** A variable of the epilogue that runs over the current block of `axis`: scale · index + shift. */
function blockVariable(
  name: string,
  axis: Axis,
  stride: string,
  scale = 1,
  shift: readonly (readonly [number, string])[] = [],
): FinishVariable {
  const from: readonly (readonly [number, string])[] = isWhole(axis) ? [] : [[scale, `${axis.name}From`]];
  return { name, loop: { count: countOf(axis), value: sumOf([[scale, `${name}Step`], ...from, ...shift]), stride } };
}

interface Task {
  readonly kernel: ConvolutionKernel;
  readonly values: Arguments;
  readonly emit: EpilogueEmitter;
}

/** What all three forms have in common. */
function frame({ kernel, values, emit }: Task) {
  return {
    dtype: kernel.dtype,
    integer: isIntegerKernel(kernel),
    outer: [{ name: "group", size: kernel.geometry.groups }],
    slots: kernel.epilogue.buffers.map((buffer) => values.array(buffer)),
    emit,
    arrays: values.names,
  };
}

/** The patches of x that windows at rows `h` and columns `w` of the output see. */
function inputPatches({ kernel, values }: Task, n: Axis, c: Axis, h: Axis, w: Axis): Patches {
  const { geometry, x, weight } = kernel;
  const { stride, padding, dilation } = geometry;
  const window = (axis: Axis, d: 0 | 1): Window => ({
    axis,
    step: stride[d],
    shift: -padding[d],
    span: ((weight[2 + d] as number) - 1) * dilation[d] + 1,
    size: x[2 + d] as number,
  });
  return patchesOf(
    {
      name: "pad",
      read: values.reader(kernel.a),
      images: n,
      channels: c,
      rows: window(h, 0),
      columns: window(w, 1),
      sourceChannels: x[1],
    },
    values.array(kernel.a),
    [
      [weight[1], "group"],
      [1, fromOf(c)],
    ],
  );
}

function forward(task: Task): BlockedProblem {
  const { kernel, values } = task;
  const { geometry, weight, y } = kernel;
  const { stride, dilation, groups } = geometry;
  const [, channels, kh, kw] = weight;
  const taps = kh * kw;
  const outputs = weight[0] / groups;
  const rows = evenAxis("o", outputs, rowTarget, 3);
  const c = evenAxis("c", channels, Math.max(1, Math.floor(depthTarget / taps)));
  const columns = positionAxes(y[0], y[2], y[3], columnsFor(longest(c) * taps));
  const [n, h, w] = columns;
  const patches = inputPatches(task, n, c, h, w);
  const [byImage, byChannel, byRow, byColumn] = patches.strides;
  return {
    ...frame(task),
    suffix: "",
    rows,
    columns,
    depth: [c, wholeAxis("u", kh), wholeAxis("v", kw)],
    a: {
      array: values.array(kernel.b),
      read: values.reader(kernel.b),
      start: sumOf([
        [outputs * channels * taps, "group"],
        [channels * taps, fromOf(rows)],
        [taps, fromOf(c)],
      ]),
      lanes: [channels * taps],
      depth: [taps, kw, 1],
    },
    b: {
      ...patches,
      lanes: [byImage, stride[0] * byRow, stride[1] * byColumn],
      depth: [byChannel, dilation[0] * byRow, dilation[1] * byColumn],
    },
    ...(patches.prepare ? { prepare: patches.prepare } : {}),
    variables: [
      blockVariable("index0", n, productOf([countOf(h), countOf(w)])),
      blockVariable("index1", rows, `${sumStride(columns)}`, 1, [[outputs, "group"]]),
      blockVariable("index2", h, countOf(w)),
      blockVariable("index3", w, "1"),
    ],
  };
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The taps that positions of one remainder modulo the stride meet: every `step`-th from `first`. */
interface Phase {
  /** Positions remainder, remainder + stride, …: so many. */
  readonly remainder: number;
  readonly positions: number;
  readonly first: number;
  readonly step: number;
  readonly taps: number;
  /** The p-th position meets the output window p + shift + (taps - 1 - t) · spread with its t-th tap. */
  readonly shift: number;
  readonly spread: number;
}

function phasesOf(size: number, kernelSize: number, stride: number, padding: number, dilation: number): Phase[] {
  const phases: Phase[] = [];
  const step = stride / gcd(stride, dilation);
  for (let remainder = 0; remainder < Math.min(stride, size); remainder++) {
    let first = 0;
    while (first < Math.min(step, kernelSize) && (remainder + padding - first * dilation) % stride !== 0) first++;
    const taps = first < Math.min(step, kernelSize) ? Math.floor((kernelSize - 1 - first) / step) + 1 : 0;
    const spread = (step * dilation) / stride;
    const shift = taps === 0 ? 0 : (remainder + padding - first * dilation) / stride - (taps - 1) * spread;
    phases.push({ remainder, positions: Math.ceil((size - remainder) / stride), first, step, taps, shift, spread });
  }
  return phases;
}

function inputGradient(task: Task): BlockedProblem[] {
  const { kernel } = task;
  const { stride, padding, dilation } = kernel.geometry;
  const phases = ([0, 1] as const).map((d) =>
    phasesOf(kernel.x[2 + d] as number, kernel.weight[2 + d] as number, stride[d], padding[d], dilation[d]),
  ) as [Phase[], Phase[]];
  return phases[0].flatMap((vertical) => phases[1].map((horizontal) => inputGradientPhase(task, vertical, horizontal)));
}

function inputGradientPhase(task: Task, vertical: Phase, horizontal: Phase): BlockedProblem {
  const { kernel, values } = task;
  const { geometry, x, weight, y } = kernel;
  const [, channels, kh, kw] = weight;
  const outputs = weight[0] / geometry.groups;
  const taps = vertical.taps * horizontal.taps;
  const suffix = `_${vertical.remainder}_${horizontal.remainder}`;
  const rows = evenAxis("c", channels, rowTarget, 3);
  const o = evenAxis("o", outputs, Math.max(1, Math.floor(depthTarget / Math.max(taps, 1))));
  const columns = positionAxes(x[0], vertical.positions, horizontal.positions, columnsFor(longest(o) * taps));
  const [n, h, w] = columns;
  const window = (axis: Axis, phase: Phase, size: number): Window => ({
    axis,
    step: 1,
    shift: phase.shift,
    span: (phase.taps - 1) * phase.spread + 1,
    size,
  });
  const patches = patchesOf(
    {
      name: `pad${suffix}`,
      read: values.reader(kernel.a),
      images: n,
      channels: o,
      rows: window(h, vertical, y[2]),
      columns: window(w, horizontal, y[3]),
      sourceChannels: y[1],
    },
    values.array(kernel.a),
    [
      [outputs, "group"],
      [1, fromOf(o)],
    ],
  );
  const [byImage, byChannel, byRow, byColumn] = patches.strides;
  const lastTap = (vertical.taps - 1) * vertical.spread * byRow + (horizontal.taps - 1) * horizontal.spread * byColumn;
  return {
    ...frame(task),
    suffix,
    rows,
    columns,
    depth: [o, wholeAxis("u", vertical.taps), wholeAxis("v", horizontal.taps)],
    a: {
      array: values.array(kernel.b),
      read: values.reader(kernel.b),
      start: sumOf(
        [
          [outputs * channels * kh * kw, "group"],
          [channels * kh * kw, fromOf(o)],
          [kh * kw, fromOf(rows)],
        ],
        vertical.first * kw + horizontal.first,
      ),
      lanes: [kh * kw],
      depth: [channels * kh * kw, vertical.step * kw, horizontal.step],
    },
    b: {
      ...patches,
      start: `${patches.start} + ${lastTap} | 0`,
      lanes: [byImage, byRow, byColumn],
      depth: [byChannel, -vertical.spread * byRow, -horizontal.spread * byColumn],
    },
    ...(patches.prepare ? { prepare: patches.prepare } : {}),
    variables: [
      blockVariable("index0", n, productOf([countOf(h), countOf(w)])),
      blockVariable("index1", rows, `${sumStride(columns)}`, 1, [[channels, "group"]]),
      blockVariable("index2", h, countOf(w), geometry.stride[0], [[1, `${vertical.remainder}`]]),
      blockVariable("index3", w, "1", geometry.stride[1], [[1, `${horizontal.remainder}`]]),
    ],
  };
}

function weightGradient(task: Task): BlockedProblem {
  const { kernel, values } = task;
  const { geometry, weight, y } = kernel;
  const { stride, dilation, groups } = geometry;
  const [, channels, kh, kw] = weight;
  const taps = kh * kw;
  const outputs = weight[0] / groups;
  const plane = y[2] * y[3];
  const rows = evenAxis("o", outputs, rowTarget, 3);
  const c = evenAxis("c", channels, Math.max(1, Math.floor(columnTarget / taps)));
  const columns = [c, wholeAxis("u", kh), wholeAxis("v", kw)];
  const depth = positionAxes(y[0], y[2], y[3], Math.min(depthTarget, 2 * columnsFor(longest(c) * taps)));
  const [n, h, w] = depth;
  const patches = inputPatches(task, n, c, h, w);
  const [byImage, byChannel, byRow, byColumn] = patches.strides;
  return {
    ...frame(task),
    suffix: "",
    rows,
    columns,
    depth,
    a: {
      array: values.array(kernel.b),
      read: values.reader(kernel.b),
      start: sumOf([
        [y[1] * plane, fromOf(n)],
        [outputs * plane, "group"],
        [plane, fromOf(rows)],
        [y[3], fromOf(h)],
        [1, fromOf(w)],
      ]),
      lanes: [plane],
      depth: [y[1] * plane, y[3], 1],
    },
    b: {
      ...patches,
      lanes: [byChannel, dilation[0] * byRow, dilation[1] * byColumn],
      depth: [byImage, stride[0] * byRow, stride[1] * byColumn],
    },
    ...(patches.prepare ? { prepare: patches.prepare } : {}),
    variables: [
      blockVariable("index0", rows, `${sumStride(columns)}`, 1, [[outputs, "group"]]),
      blockVariable("index1", c, `${taps}`),
      blockVariable("index2", columns[1] as Axis, `${kw}`),
      blockVariable("index3", columns[2] as Axis, "1"),
    ],
  };
}

function problemsOf(task: Task): readonly BlockedProblem[] {
  const { kind } = task.kernel;
  switch (kind) {
    case "conv2d":
      return [forward(task)];
    case "conv2dInputGradient":
      return inputGradient(task);
    case "conv2dWeightGradient":
      return [weightGradient(task)];
    default:
      return kind satisfies never;
  }
}

export function convolutionSource(
  kernel: ConvolutionKernel,
  values: Arguments,
  emit: EpilogueEmitter,
): { readonly source: string; readonly usesUniforms: boolean } {
  return assemble(problemsOf({ kernel, values, emit }).map(blockedSource), values);
}
