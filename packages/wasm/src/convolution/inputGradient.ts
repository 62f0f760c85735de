/**
 * Input gradients as sums over windows of the output gradient. With a stride, elements of the result meet different taps
 * by their remainder modulo the stride, and those of one remainder (a phase) meet the same ones: each phase is a
 * convolution of stride 1 with its share of the taps. So there are no zeros to multiply by.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { PaddedImage } from "./paddedImage.ts";
import { type Pair, pair, type Windows } from "./windows.ts";

/** On one axis: the positions remainder, remainder + stride, … of the result. */
interface AxisPhase {
  readonly positions: number;
  /** The taps they meet: so many, every `step`-th from `first`. */
  readonly taps: number;
  readonly first: number;
  readonly step: number;
  /** The p-th position meets element p + shift + t·spread of the output gradient with the t-th of its taps from the end. */
  readonly shift: number;
  readonly spread: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function axisPhases(size: number, kernel: number, stride: number, padding: number, dilation: number): AxisPhase[] {
  const step = stride / gcd(stride, dilation);
  const spread = (step * dilation) / stride;
  return Array.from({ length: Math.min(stride, size) }, (_, remainder) => {
    const positions = Math.ceil((size - remainder) / stride);
    const candidates = Array.from({ length: Math.min(step, kernel) }, (_, tap) => tap);
    const first = candidates.find((tap) => (remainder + padding - tap * dilation) % stride === 0);
    if (first === undefined) return { positions, taps: 0, first: 0, step, shift: 0, spread };
    const taps = Math.floor((kernel - 1 - first) / step) + 1;
    const shift = (remainder + padding - first * dilation) / stride - (taps - 1) * spread;
    return { positions, taps, first, step, shift, spread };
  });
}

export interface Phase {
  /** Rows and columns of the result. */
  readonly size: Pair;
  /** Undefined where no tap is met: the sums are 0. */
  readonly windows: Windows | undefined;
}

/** The phases of the input gradient, all reading the same image; remainders of the second axis run fastest. */
export function inputGradientPhases({ geometry, x, weight, y }: ConvolutionKernel): Phase[] {
  const { stride, padding, dilation, groups } = geometry;
  const axes = ([0, 1] as const).map((axis) =>
    axisPhases(x[2 + axis] as number, weight[2 + axis] as number, stride[axis], padding[axis], dilation[axis]),
  ) as [AxisPhase[], AxisPhase[]];
  const low = pair((axis) => Math.max(...axes[axis].map(({ taps, shift }) => (taps > 0 ? -shift : -Infinity))));
  const image: PaddedImage = {
    planes: y[0] * y[1],
    source: [y[2], y[3]],
    low,
    size: pair((axis) =>
      Math.max(
        ...axes[axis].map((p) => (p.taps > 0 ? p.positions + p.shift + low[axis] + (p.taps - 1) * p.spread : 0)),
      ),
    ),
  };
  return axes[0].flatMap((vertical) =>
    axes[1].map((horizontal) => {
      const of = (name: "taps" | "first" | "step" | "shift" | "spread" | "positions"): Pair => [
        vertical[name],
        horizontal[name],
      ];
      const [taps, shift, size] = [of("taps"), of("shift"), of("positions")];
      const windows: Windows = {
        image,
        images: x[0],
        groups,
        rows: weight[1],
        depth: weight[0] / groups,
        taps,
        step: [1, 1],
        spread: of("spread"),
        size,
        origin: pair((axis) => shift[axis] + low[axis]),
        weights: { kernel: [weight[2], weight[3]], first: of("first"), step: of("step") },
      };
      return { size, windows: taps[0] * taps[1] > 0 ? windows : undefined };
    }),
  );
}
