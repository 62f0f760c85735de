/** Activations as modules, for `sequential`. Each is core's function of the same name. */

import type { Tensor } from "@thalweg/core";
import * as core from "@thalweg/core";
import { type Module, module } from "./module.ts";

const activation = (type: string, forward: (x: Tensor) => Tensor): Module => module({}, forward, type);

/** max(x, 0) */
export const relu = (): Module => activation("relu", core.relu);
/** min(max(x, 0), 6) */
export const relu6 = (): Module => activation("relu6", core.relu6);
/** x, or negativeSlope · x (0.01) below zero. */
export const leakyRelu = (negativeSlope = 0.01): Module =>
  activation("leakyRelu", (x) => core.leakyRelu(x, { negativeSlope }));
/** x, or alpha (eˣ - 1) below zero. */
export const elu = (alpha = 1): Module => activation("elu", (x) => core.elu(x, { alpha }));
/** x Φ(x), exactly or by its `tanh` approximation. */
export const gelu = ({ approximate = "none" }: { readonly approximate?: "none" | "tanh" } = {}): Module =>
  activation("gelu", (x) => core.gelu(x, { approximate }));
/** x sigmoid(x) */
export const silu = (): Module => activation("silu", core.silu);
/** log(1 + e^(beta x)) / beta; x itself where beta x > threshold. */
export const softplus = ({
  beta = 1,
  threshold = 20,
}: {
  readonly beta?: number;
  readonly threshold?: number;
} = {}): Module => activation("softplus", (x) => core.softplus(x, { beta, threshold }));
/** x tanh(softplus(x)) */
export const mish = (): Module => activation("mish", core.mish);
/** x relu6(x + 3) / 6 */
export const hardSwish = (): Module => activation("hardSwish", core.hardSwish);
export const sigmoid = (): Module => activation("sigmoid", core.sigmoid);
export const tanh = (): Module => activation("tanh", core.tanh);
export const softmax = ({ axis = -1 }: { readonly axis?: number } = {}): Module =>
  activation("softmax", (x) => core.softmax(x, { axis }));
export const logSoftmax = ({ axis = -1 }: { readonly axis?: number } = {}): Module =>
  activation("logSoftmax", (x) => core.logSoftmax(x, { axis }));
/** x as it came. */
export const identity = (): Module => activation("identity", (x) => x);
