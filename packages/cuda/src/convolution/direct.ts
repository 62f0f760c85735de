/**
 * Convolutions with so few rows per group (depthwise ones above all) that tiles would be mostly empty: a thread for each
 * element of the result, whose windows its neighbours have just brought into the cache.
 */
import { type ConvolutionKernel, type DType, isExpensive } from "@thalweg/core/backend";
import { mayShareSums } from "../contraction/productText.ts";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { bodyParameters, type IndexType, storageTag } from "../source/index.ts";
import { epilogueText } from "./epilogue.ts";
import { type ConvolutionForm, groupChannels } from "./form.ts";
import { windowsType } from "./gather.ts";
import { operandParameters } from "./products.ts";

const threads = 256;
/** Taps of which a thread has sums at a time; more loops than that are not unrolled either. */
const mostTaps = 16;

const sumType = ({ dtype }: ConvolutionKernel): string =>
  dtype === "float64" ? "double" : dtype === "float32" ? "float" : "unsigned";

const read = (kernel: ConvolutionKernel, { program }: KernelContext, which: "a" | "b", at: string): string => {
  const tag = storageTag(program.buffers[kernel[which]]?.dtype as DType);
  return `(${sumType(kernel)})load<${tag}>(${which === "a" ? "columnsFrom" : "rowsFrom"} + (${at}))`;
};

const declarations = ({ gather }: ConvolutionForm): string =>
  `#include "convolution.cuh"\nusing Geometry = ${windowsType(gather)};\n`;

/** Rows are channels, columns are pixels. */
export function directPixels(
  kernel: ConvolutionKernel,
  form: ConvolutionForm,
  index: IndexType,
  context: KernelContext,
): CompiledKernel {
  const { rows, columns, channels, imageSize, gather, weightAt } = form;
  const { epilogue, geometry } = kernel;
  const { parameters, slots } = bodyParameters([epilogue.body], epilogue.buffers, context.program);
  const blocks = Math.ceil(columns / threads);
  const [down, right] = gather;
  const unroll = down.taps * right.taps <= mostTaps ? "#pragma unroll\n" : "#pragma unroll 1\n";
  const type = sumType(kernel);
  const text = `const ${index} column = (${index})(blockIdx.x % ${blocks}u) * ${threads} + threadIdx.x;
if (column >= ${columns}) return;
const ${index} group = blockIdx.x / ${blocks * rows}u;
const ${index} row = blockIdx.x / ${blocks}u % ${rows}u;
const int place = (int)(column % Geometry::COUNT);
const int top = place / Geometry::COUNT_W * Geometry::PIXEL_H + Geometry::BASE_H;
const int left0 = place % Geometry::COUNT_W * Geometry::PIXEL_W + Geometry::BASE_W;
const ${index} from = column / Geometry::COUNT * ${imageSize} + group * ${channels} * Geometry::PLANE;
${type} sum = 0;
#pragma unroll 1
for (int channel = 0; channel < ${channels}; channel++) {
${unroll}for (int i = 0; i < Geometry::TAPS_H; i++) {
const int y = top + i * Geometry::TAP_H;
if ((unsigned)y >= (unsigned)Geometry::HEIGHT) continue;
${unroll}for (int j = 0; j < Geometry::TAPS_W; j++) {
const int x = left0 + j * Geometry::TAP_W;
if ((unsigned)x >= (unsigned)Geometry::WIDTH) continue;
sum = multiplyAdd(${read(kernel, context, "a", `from + (${index})channel * Geometry::PLANE + y * Geometry::WIDTH + x`)}, ${read(kernel, context, "b", weightAt?.("channel", "i", "j") ?? "0")}, sum);
}
}
}
${epilogueText(kernel, form, index, slots, 1, () => "sum")}`;
  const launch = kernelLaunch(
    {
      declarations: declarations(form),
      parameters: [...operandParameters(kernel, context), ...parameters],
      body: text,
      grid: blocks * rows * geometry.groups,
      block: threads,
    },
    context,
  );
  return { launches: [launch], scratchBytes: 0, counterBytes: 0 };
}

/** Blocks that share the pixels of one channel of the weight at most, and pixels that each thread should have. */
const mostParts = 64;
const pixelsPerThread = 16;

/** The weight's gradient: blocks for each of its channels, of which every thread adds up some pixels for all taps. */
export function directWeights(
  kernel: ConvolutionKernel,
  form: ConvolutionForm,
  index: IndexType,
  context: KernelContext,
): CompiledKernel {
  const { rows, channels, imageSize, depth } = form;
  const { epilogue, geometry, weight, y } = kernel;
  const { outputs } = groupChannels(kernel);
  const { parameters, slots } = bodyParameters([epilogue.body], epilogue.buffers, context.program);
  const taps = weight[2] * weight[3];
  const together = Math.min(taps, mostTaps);
  const chunks = Math.ceil(taps / together);
  const results = geometry.groups * rows * channels * chunks;
  const mayShare = mayShareSums(epilogue.body, context);
  const wanted = mayShare ? Math.ceil((4 * context.target.multiprocessors) / results) : 1;
  const parts = Math.max(1, Math.min(mostParts, wanted, Math.floor(depth / (threads * pixelsPerThread))));
  const partDepth = Math.ceil(depth / parts);
  const split = parts > 1;
  const type = sumType(kernel);
  const warps = threads / 32;
  const text = `__shared__ ${type} sums[${warps}][${together}];
${split ? "__shared__ bool isLast;\n" : ""}const unsigned result = blockIdx.x / ${parts}u;
const int part = (int)(blockIdx.x % ${parts}u);
const int firstTap = (int)(result % ${chunks}u) * ${together};
const int channel = (int)(result / ${chunks}u % ${channels}u);
const ${index} row = result / ${chunks * channels}u % ${rows}u;
const ${index} group = result / ${chunks * channels * rows}u;
const ${index} window = (group * ${channels} + channel) * Geometry::PLANE;
const ${index} output = (group * ${outputs} + row) * Geometry::COUNT;
${type} own[${together}];
#pragma unroll
for (int i = 0; i < ${together}; i++) own[i] = 0;
const int last = ${depth} - part * ${partDepth} < ${partDepth} ? ${depth} : (part + 1) * ${partDepth};
for (int k = part * ${partDepth} + threadIdx.x; k < last; k += ${threads}) {
const int image = k / Geometry::COUNT, pixel = k % Geometry::COUNT;
const int top = pixel / Geometry::COUNT_W * Geometry::PIXEL_H + Geometry::BASE_H;
const int left0 = pixel % Geometry::COUNT_W * Geometry::PIXEL_W + Geometry::BASE_W;
const ${type} gradient = ${read(kernel, context, "b", `output + (${index})image * ${y[1] * y[2] * y[3]} + pixel`)};
#pragma unroll
for (int i = 0; i < ${together}; i++) {
const int tap = firstTap + i;
const int y = top + tap / Geometry::ACROSS * Geometry::TAP_H, x = left0 + tap % Geometry::ACROSS * Geometry::TAP_W;
if (tap < Geometry::TAPS && isInside(y, x, Geometry::HEIGHT, Geometry::WIDTH))
own[i] = multiplyAdd(gradient, ${read(kernel, context, "a", `window + (${index})image * ${imageSize} + y * Geometry::WIDTH + x`)}, own[i]);
}
}
#pragma unroll
for (int i = 0; i < ${together}; i++) {
#pragma unroll
for (int distance = 16; distance > 0; distance /= 2) own[i] += __shfl_xor_sync(0xffffffffu, own[i], distance);
if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32][i] = own[i];
}
__syncthreads();
${type} sum = 0;
if (threadIdx.x < ${together}) {
for (int warp = 0; warp < ${warps}; warp++) sum += sums[warp][threadIdx.x];
${split ? `partials[(long long)blockIdx.x * ${together} + threadIdx.x] = sum;\n__threadfence();\n` : ""}}
${
  split
    ? `__syncthreads();
if (threadIdx.x == 0) {
isLast = atomicAdd(tickets + result, 1u) == ${parts - 1}u;
if (isLast) tickets[result] = 0;
}
__syncthreads();
if (!isLast) return;
__threadfence();
if (threadIdx.x < ${together}) {
sum = 0;
const volatile ${type}* all = partials + (long long)result * ${parts * together} + threadIdx.x;
for (int i = 0; i < ${parts}; i++) sum += all[i * ${together}];
}
`
    : ""
}const int tap = firstTap + (int)threadIdx.x;
if (threadIdx.x < ${together} && tap < ${taps}) {
const ${index} column = (${index})channel * ${taps} + tap;
${epilogueText(kernel, form, index, slots, 1, () => "sum")}
}`;
  const splitParameters: Parameter[] = [
    { type: `${type}*`, name: "partials", argument: { kind: "scratch", offset: 0 } },
    { type: "unsigned*", name: "tickets", argument: { kind: "counters", offset: 0 } },
  ];
  const launch = kernelLaunch(
    {
      declarations: declarations(form),
      parameters: [...operandParameters(kernel, context), ...(split ? splitParameters : []), ...parameters],
      body: text,
      grid: results * parts,
      block: threads,
      ...(epilogue.body.some(isExpensive) ? {} : { minimumBlocks: 2 }),
    },
    context,
  );
  return {
    launches: [launch],
    scratchBytes: split ? results * parts * together * (type === "double" ? 8 : 4) : 0,
    counterBytes: split ? results * 4 : 0,
  };
}
