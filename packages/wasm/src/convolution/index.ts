/** Convolutions and their gradients, in float32 with SIMD. */
import { type BufferSpec, type ConvolutionKernel, type Program, sizeOf } from "@thalweg/core/backend";
import type { Features } from "../features.ts";
import type { CompiledKernel, Launch, Pointer } from "../launch.ts";
import { directWeights, suitsDirectWeights } from "./directWeights.ts";
import { directRows, directWindows } from "./directWindows.ts";
import { contributionWindows, fold } from "./fold.ts";
import { inputGradientPhases, type Phase } from "./inputGradient.ts";
import { type Output, outputOf, scratchOutput } from "./output.ts";
import {
  type ImageLayout,
  imageBytes,
  imageLayout,
  needsCopy,
  type PaddedImage,
  writePlanes,
  writeZeros,
} from "./paddedImage.ts";
import { type PhaseSums, phaseFinish } from "./phaseFinish.ts";
import { pixelProducts, suitsPixelProducts } from "./pixelProducts.ts";
import { type Preparation, prepareLaunch } from "./prepare.ts";
import { reversedWeightsBytes, writeReversedWeights } from "./reversedWeights.ts";
import { writeTransposedPanels } from "./transposedPanels.ts";
import { weightPanels, writeWeightPanels } from "./weightPanels.ts";
import { gradientPanels, weightProducts } from "./weightProducts.ts";
import { widenedElements, writeWidened } from "./widen.ts";
import { windowProducts } from "./windowProducts.ts";
import { forwardWindows, termsOf, type Windows } from "./windows.ts";

/** Phases of an input gradient that are computed by a function each. */
const mostPhases = 9;

/** The launches of a convolution; undefined where it has to be lowered to a loop. */
export function compileConvolution(
  kernel: ConvolutionKernel,
  program: Program,
  features: Features,
): CompiledKernel | undefined {
  const { x, weight, y } = kernel;
  if (!features.simd || kernel.dtype !== "float32") return undefined;
  if ([...x, ...weight, ...y].some((size) => size === 0)) return undefined;
  return new Compilation(kernel, program).compile();
}

interface ReadImage {
  readonly at: Pointer;
  readonly layout: ImageLayout;
}

class Compilation {
  readonly #kernel: ConvolutionKernel;
  readonly #program: Program;
  /** Operands made float32, and brought into the order they are read in afterwards. */
  readonly #widened: Preparation[] = [];
  readonly #preparations: Preparation[] = [];
  #scratchBytes = 0;
  #read: ReadImage | undefined;
  #kernelWeights: Pointer | undefined;

  constructor(kernel: ConvolutionKernel, program: Program) {
    this.#kernel = kernel;
    this.#program = program;
  }

  compile(): CompiledKernel {
    const launches = this.#launches();
    const before = [this.#widened, this.#preparations].filter(({ length }) => length > 0).map(prepareLaunch);
    return { launches: [...before, ...launches], scratchBytes: this.#scratchBytes };
  }

  #launches(): Launch[] {
    const kernel = this.#kernel;
    switch (kernel.kind) {
      case "conv2d":
        return [this.#sums(forwardWindows(kernel), outputOf(kernel.epilogue, this.#program))];
      case "conv2dInputGradient":
        return this.#inputGradient();
      case "conv2dWeightGradient":
        return [this.#weightGradient()];
      default:
        return kernel.kind satisfies never;
    }
  }

  #scratch(bytes: number): Pointer {
    const offset = this.#scratchBytes;
    this.#scratchBytes += 64 * Math.ceil(bytes / 64);
    return { kind: "scratch", offset };
  }

  /** The operand as float32. */
  #operand(buffer: number): Pointer {
    const { dtype, size } = this.#program.buffers[buffer] as BufferSpec;
    const source: Pointer = { kind: "buffer", buffer };
    if (dtype === "float32") return source;
    const target = this.#scratch(4 * size);
    this.#widened.push({
      key: ["widen", dtype, size],
      source,
      target,
      units: Math.ceil(size / widenedElements),
      work: 2 * widenedElements,
      write: (f, code, ...rest) => writeWidened(f, code, dtype, size, ...rest),
    });
    return target;
  }

  /** The image that windows read, and how it lies. There is one of a kernel. */
  #image(image: PaddedImage, buffer: number): ReadImage {
    this.#read ??= this.#readImage(image, buffer);
    return this.#read;
  }

  #readImage(image: PaddedImage, buffer: number): ReadImage {
    const source = this.#operand(buffer);
    const layout = imageLayout(image);
    if (!needsCopy(image)) return { at: source, layout };
    const at = this.#scratch(imageBytes(image));
    this.#preparations.push({
      key: image,
      source,
      target: at,
      units: image.planes,
      work: layout.plane,
      write: (f, _, ...rest) => writePlanes(f, image, ...rest),
    });
    return { at, layout };
  }

  /** The launch that computes sums over windows. */
  #sums(windows: Windows, output: Output): Launch {
    const kernel = this.#kernel;
    const { at, layout } = this.#image(windows.image, kernel.a);
    this.#kernelWeights ??= this.#operand(kernel.b);
    if (windows.rows > directRows && suitsPixelProducts(windows, output)) {
      return pixelProducts(windows, layout, at, this.#weightPanels(windows, this.#kernelWeights), output);
    }
    const compile = windows.rows <= directRows ? directWindows : windowProducts;
    return compile(windows, layout, at, this.#weights(windows, this.#kernelWeights), output);
  }

  /** The weights as the sums over `windows` read them. */
  #weights(windows: Windows, source: Pointer): Pointer {
    if (!windows.weights) return source;
    const target = this.#scratch(reversedWeightsBytes(windows));
    const { groups, depth, rows, taps, weights } = windows;
    this.#preparations.push({
      key: ["weights", groups, depth, rows, taps, weights],
      source,
      target,
      units: groups * depth,
      work: 2 * rows * taps[0] * taps[1],
      write: (f, _, ...rest) => writeReversedWeights(f, windows, ...rest),
    });
    return target;
  }

  /** The weights as tiles of pixels read them. */
  #weightPanels(windows: Windows, source: Pointer): Pointer {
    const { groups, rows, depth, taps, weights } = windows;
    const { panels, groupBytes } = weightPanels(windows);
    const target = this.#scratch(groups * groupBytes);
    this.#preparations.push({
      key: ["weightPanels", groups, depth, rows, taps, weights],
      source,
      target,
      units: groups * panels,
      work: 16 * termsOf(windows),
      write: (f, _, ...rest) => writeWeightPanels(f, windows, ...rest),
    });
    return target;
  }

  #inputGradient(): Launch[] {
    const { x, geometry, epilogue } = this.#kernel;
    const output = outputOf(epilogue, this.#program);
    if (geometry.stride[0] * geometry.stride[1] > mostPhases) return this.#foldedInputGradient(output);
    const phases = inputGradientPhases(this.#kernel);
    const [only] = phases;
    if (phases.length === 1 && only?.windows) return [this.#sums(only.windows, output)];
    const planes = x[0] * x[1];
    const bytes = ({ size }: Phase): number => 64 * Math.ceil((4 * planes * size[0] * size[1]) / 64);
    const sums = this.#scratch(phases.reduce((sum, phase) => sum + bytes(phase), 0));
    const start = (sums as { readonly offset: number }).offset;
    let offset = 0;
    const launches: Launch[] = [];
    const places = phases.map((phase): PhaseSums => {
      const place = { offset, size: phase.size };
      offset += bytes(phase);
      const at: Pointer = { kind: "scratch", offset: start + place.offset };
      const [height, width] = phase.size;
      const plane = height * width;
      if (phase.windows) {
        const raw = scratchOutput([x[1] * plane, plane, width, 1], planes * plane, at);
        launches.push(this.#sums(phase.windows, raw));
      } else {
        this.#preparations.push({
          key: ["zeros", plane],
          source: at,
          target: at,
          units: planes,
          work: plane,
          write: (f, _code, _source, target, first, end) => writeZeros(f, plane, target, first, end),
        });
      }
      return place;
    });
    return [...launches, phaseFinish({ stride: geometry.stride, shape: x, phases: places }, sums, output)];
  }

  #foldedInputGradient(output: Output): Launch[] {
    const { x, weight, y } = this.#kernel;
    const area = y[2] * y[3];
    const channels = x[1] * weight[2] * weight[3];
    const contributions = this.#scratch(4 * x[0] * channels * area);
    const sums = this.#scratch(4 * sizeOf(x));
    const raw = scratchOutput([channels * area, area, y[3], 1], x[0] * channels * area, contributions);
    const whole: PhaseSums = { offset: 0, size: [x[2], x[3]] };
    return [
      this.#sums(contributionWindows(this.#kernel), raw),
      fold(this.#kernel, contributions, sums),
      phaseFinish({ stride: [1, 1], shape: x, phases: [whole] }, sums, output),
    ];
  }

  #weightGradient(): Launch {
    const kernel = this.#kernel;
    const { at, layout } = this.#image(forwardWindows(kernel).image, kernel.a);
    const output = outputOf(kernel.epilogue, this.#program);
    const source = this.#operand(kernel.b);
    if (suitsDirectWeights(kernel)) return directWeights(kernel, layout, at, source, output);
    const gradient = gradientPanels(kernel);
    const panels = this.#scratch(gradient.images * gradient.groups * gradient.groupBytes);
    this.#preparations.push({
      key: gradient,
      source,
      target: panels,
      units: gradient.images * gradient.groups * gradient.panels,
      work: 8 * gradient.length,
      write: (f, _, ...rest) => writeTransposedPanels(f, gradient, ...rest),
    });
    return weightProducts(kernel, layout, at, panels, output);
  }
}
