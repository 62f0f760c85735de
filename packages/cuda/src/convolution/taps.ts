/**
 * Forms whose sum goes through the channels of one tap after another. Where a window meets the image is then found once for
 * many elements, which leaves time to the tensor cores; but the weight must lie in that order, too: a launch of its own
 * writes it so, which large products are worth.
 */
import { bytesPerElement, type ConvolutionKernel, type DType } from "@thalweg/core/backend";
import type { Element } from "../contraction/element.ts";
import { tilesOf } from "../contraction/tiling.ts";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { type IndexType, storageTag, storageType } from "../source/index.ts";
import type { ConvolutionForm } from "./form.ts";

/** Multiply-adds of each multiprocessor from which on the weight's own launch is made up for. */
const enoughWork = { tensor: 2 ** 20, vector: 2 ** 23 } as const;
/** How much of the channels the multiple of a tile's depth may be. */
const mostPadding = 1.25;

export interface TapForm {
  readonly form: ConvolutionForm;
  /** Writes the weight to scratch, from its first byte on. */
  readonly prepare: KernelLaunch;
  /** Elements of scratch. */
  readonly weightBytes: number;
}

/** Undefined where the form is better taken as it is. */
export function tapForm(
  kernel: ConvolutionKernel,
  form: ConvolutionForm,
  element: Element,
  index: IndexType,
  context: KernelContext,
): TapForm | undefined {
  const { rows, columns, depth, channels, weightAt, gather } = form;
  const taps = gather[0].taps * gather[1].taps;
  const step = tilesOf(element)[0]?.depth as number;
  const padded = Math.ceil(channels / step) * step;
  const { groups } = kernel.geometry;
  const work = groups * rows * columns * depth;
  if (!weightAt || taps === 0 || padded > channels * mostPadding) return undefined;
  if (work < enoughWork[element.tensor ? "tensor" : "vector"] * context.target.multiprocessors) return undefined;
  const [gathered, weight] = [kernel.a, kernel.b].map((buffer) => context.program.buffers[buffer]?.dtype) as [
    DType,
    DType,
  ];
  const whole = taps * padded;
  const width = Math.min(8, 16 / bytesPerElement(weight));
  const plane = gather[0].size * gather[1].size;
  return {
    form: {
      ...form,
      depth: whole,
      a: {
        type: (tile, threads) =>
          `StridedLoader<${tile}, ${storageTag(weight)}, true, ${width}, ${threads}, ${index}, ${whole}, 1>`,
        args: (line, lines, k, end) =>
          `rowsFrom + ((${index})group * ${rows} + ${line}) * ${whole} + ${k}, ${lines}, ${end} - ${k}`,
        alongDepth: true,
      },
      b: {
        type: (tile, threads) =>
          `TapLoader<${tile}, ${storageTag(gathered)}, Geometry, ${threads}, ${index}, ${form.imageSize}, ${channels}>`,
        args: (line, _, k) =>
          `columnsFrom + (${index})group * ${channels * plane}, ${line}, ${columns}, ${k} / Core::DEPTH`,
        alongDepth: false,
      },
    },
    prepare: orderedWeight(kernel, form, { step, whole, taps }, index, context, weight),
    weightBytes: Math.ceil((groups * rows * whole * bytesPerElement(weight)) / 256) * 256,
  };
}

/** For every row: steps of channels, for each all taps, for each of those the step's channels. */
function orderedWeight(
  { b, geometry }: ConvolutionKernel,
  { rows, channels, gather, weightAt }: ConvolutionForm,
  { step, whole, taps }: { readonly step: number; readonly whole: number; readonly taps: number },
  index: IndexType,
  context: KernelContext,
  dtype: DType,
): KernelLaunch {
  const threads = 256;
  const all = geometry.groups * rows * whole;
  const across = gather[1].taps;
  const type = storageType(dtype);
  const parameters: Parameter[] = [
    { type: `const ${type}*`, name: "weight", argument: { kind: "buffer", buffer: b }, restrict: true },
    { type: `${type}*`, name: "ordered", argument: { kind: "scratch", offset: 0 }, restrict: true },
  ];
  const body = `const ${index} element = (${index})blockIdx.x * ${threads} + threadIdx.x;
if (element >= ${all}) return;
const ${index} group = element / ${rows * whole};
const ${index} row = element / ${whole} % ${rows};
const int place = (int)(element % ${whole});
const int channel = place / ${taps * step} * ${step} + place % ${step};
const int tap = place / ${step} % ${taps};
ordered[element] = channel < ${channels} ? weight[${weightAt?.("channel", `(tap / ${across})`, `(tap % ${across})`)}] : (${type})0;`;
  return kernelLaunch({ parameters, body, grid: Math.ceil(all / threads), block: threads }, context);
}
