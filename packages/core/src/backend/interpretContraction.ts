/** Matmul and the convolutions, executed by their definitions: every output element is one sum of products. */
import type { ComputeDType } from "../graph/dtype.ts";
import { applyBinary } from "../graph/scalar.ts";
import { contiguousStrides, type Shape } from "../graph/shape.ts";
import { epilogueSizes } from "./accesses.ts";
import { compileBody, newFrame } from "./interpretBody.ts";
import { forEachPoint, type ReferenceBuffer, type Run } from "./interpretLoop.ts";
import type { ContractionKernel, ConvolutionKernel, MatmulKernel, Program } from "./program.ts";

export function compileContraction(program: Program, kernel: ContractionKernel): Run {
  const { label, epilogue } = kernel;
  const sizes = epilogueSizes(kernel);
  const body = compileBody(epilogue.body, label, program.uniforms, new Map());
  const frame = newFrame([epilogue.body], sizes.length);
  return ({ buffers, uniforms }) => {
    frame.uniforms = uniforms;
    frame.slots = epilogue.buffers.map((buffer) => buffers[buffer] as ReferenceBuffer);
    const contract = kernel.kind === "matmul" ? matmul(kernel, buffers) : convolution(kernel, buffers);
    forEachPoint(sizes, frame.variables, 0, () => {
      frame.accumulator = contract(frame.variables);
      body.run(frame);
    });
  };
}

/** Collects a sum of products in the kernel's dtype. */
type Term = (a: number, b: number) => void;
function sumOfProducts(dtype: ComputeDType, terms: (term: Term) => void): number {
  let sum = 0;
  terms((a, b) => {
    sum = applyBinary("add", dtype, sum, applyBinary("mul", dtype, a, b));
  });
  return sum;
}

/** Coordinates of the term being added. */
const scratch: number[] = [];

/** The accumulated sum at a point of the result. */
type Contract = (point: readonly number[]) => number;

function matmul({ batch, k, a, b, dtype }: MatmulKernel, buffers: readonly ReferenceBuffer[]): Contract {
  const [left, right] = [buffers[a.buffer] as ReferenceBuffer, buffers[b.buffer] as ReferenceBuffer];
  const rank = batch.length;
  const dot = (strides: readonly number[], point: readonly number[]) =>
    strides.reduce((total, stride, axis) => total + stride * (point[axis] as number), 0);
  return (point) => {
    const [group, i, j] = [point.slice(0, rank), point[rank] as number, point[rank + 1] as number];
    return sumOfProducts(dtype, (term) => {
      for (let c = 0; c < k; c++) {
        const from = a.offset + dot(a.strides, [...group, i, c]);
        const to = b.offset + dot(b.strides, [...group, c, j]);
        term(left.data[from] as number, right.data[to] as number);
      }
    });
  };
}

function convolution(kernel: ConvolutionKernel, buffers: readonly ReferenceBuffer[]): Contract {
  const { geometry, dtype, weight, x, y } = kernel;
  const { stride, padding, dilation } = geometry;
  const [inputChannels, outputChannels] = [weight[1], weight[0] / geometry.groups];
  const [, , kh, kw] = weight;
  const element = (buffer: number, shape: Shape) => {
    const data = (buffers[buffer] as ReferenceBuffer).data;
    const [s0, s1, s2, s3] = contiguousStrides(shape) as [number, number, number, number];
    return (i: number, j: number, k: number, l: number) => data[i * s0 + j * s1 + k * s2 + l * s3] as number;
  };
  /** The row of the input that window o meets with its k-th tap. */
  const row = (axis: 0 | 1, o: number, k: number) => o * stride[axis] + k * dilation[axis] - padding[axis];
  /** The window that meets row h with its k-th tap. */
  const window = (axis: 0 | 1, h: number, k: number) => {
    const o = (h + padding[axis] - k * dilation[axis]) / stride[axis];
    return Number.isInteger(o) && o >= 0 && o < (y[2 + axis] as number) ? o : undefined;
  };
  const inside = (h: number, w: number) => h >= 0 && h < x[2] && w >= 0 && w < x[3];
  switch (kernel.kind) {
    case "conv2d": {
      const [input, taps] = [element(kernel.a, x), element(kernel.b, weight)];
      return ([n, o, oh, ow]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const first = Math.floor((o as number) / outputChannels) * inputChannels;
          forEachPoint([inputChannels, kh, kw], scratch, 0, () => {
            const [c, i, j] = scratch as [number, number, number];
            const [h, w] = [row(0, oh as number, i), row(1, ow as number, j)];
            if (inside(h, w)) term(input(n as number, first + c, h, w), taps(o as number, c, i, j));
          });
        });
    }
    case "conv2dInputGradient": {
      const [gradient, taps] = [element(kernel.a, y), element(kernel.b, weight)];
      return ([n, c, h, w]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const group = Math.floor((c as number) / inputChannels);
          forEachPoint([outputChannels, kh, kw], scratch, 0, () => {
            const [o, i, j] = scratch as [number, number, number];
            const [oh, ow] = [window(0, h as number, i), window(1, w as number, j)];
            if (oh === undefined || ow === undefined) return;
            const output = group * outputChannels + o;
            term(gradient(n as number, output, oh, ow), taps(output, (c as number) % inputChannels, i, j));
          });
        });
    }
    case "conv2dWeightGradient": {
      const [input, gradient] = [element(kernel.a, x), element(kernel.b, y)];
      return ([o, c, i, j]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const first = Math.floor((o as number) / outputChannels) * inputChannels;
          forEachPoint([y[0], y[2], y[3]], scratch, 0, () => {
            const [n, oh, ow] = scratch as [number, number, number];
            const [h, w] = [row(0, oh, i as number), row(1, ow, j as number)];
            if (inside(h, w)) term(input(n, first + (c as number), h, w), gradient(n, o as number, oh, ow));
          });
        });
    }
    default:
      return kernel.kind satisfies never;
  }
}
