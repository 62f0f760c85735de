/** Pooling and flattening as modules. Options are those of core's functions. */

import type { Pair, Tensor } from "@thalweg/core";
import * as core from "@thalweg/core";
import { type Module, module } from "./module.ts";

type Options<F extends (x: Tensor, options: never) => unknown> = Omit<Parameters<F>[1], "kernelSize">;

/**
 * Largest value of each window of [batch, channels, height, width]; stride defaults to the window. As
 * torch.nn.MaxPool2d.
 */
export const maxPool2d = (kernelSize: Pair, options: Options<typeof core.maxPool2d> = {}): Module =>
  module({}, (x: Tensor) => core.maxPool2d(x, { ...options, kernelSize }), "maxPool2d");

/** Mean of each window of [batch, channels, height, width]; stride defaults to the window. As torch.nn.AvgPool2d. */
export const avgPool2d = (kernelSize: Pair, options: Options<typeof core.avgPool2d> = {}): Module =>
  module({}, (x: Tensor) => core.avgPool2d(x, { ...options, kernelSize }), "avgPool2d");

/** Means over as many equal regions as `outputSize` says, as torch.nn.AdaptiveAvgPool2d. */
export const adaptiveAvgPool2d = (outputSize: Pair): Module =>
  module({}, (x: Tensor) => core.adaptiveAvgPool2d(x, { outputSize }), "adaptiveAvgPool2d");

/** Joins the axes from startAxis (1) to endAxis (-1), as torch.nn.Flatten. */
export const flatten = ({
  startAxis = 1,
  endAxis = -1,
}: {
  readonly startAxis?: number;
  readonly endAxis?: number;
} = {}): Module => module({}, (x: Tensor) => core.flatten(x, { startAxis, endAxis }), "flatten");
