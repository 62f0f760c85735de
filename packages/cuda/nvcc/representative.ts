/** Programs of core's operations that have every form of generated kernel among them, each in a few shapes. */
import {
  add,
  argSort,
  autocast,
  type CreationOptions,
  cast,
  compile,
  conv2d,
  crossEntropy,
  cumSum,
  erf,
  gather,
  layerNorm,
  logSumExp,
  matmul,
  max,
  mean,
  mul,
  Parameter,
  permute,
  rand,
  relu,
  scatterAdd,
  sin,
  softmax,
  sum,
  type Tensor,
  tanh,
  transpose,
  useBackend,
  valueAndGrad,
  variance,
  zeros,
} from "@thalweg/core";
import type { DType, Program } from "@thalweg/core/backend";
import { adamW } from "@thalweg/core/optim";
import { blankBackend } from "./texts.ts";

type Shape = readonly number[];
type Make = () => Program;

const make = (shape: Shape, dtype: DType = "float32"): Tensor => zeros(shape, { dtype } as CreationOptions);
const program = <Args extends Tensor[]>(fn: (...args: Args) => Tensor | readonly Tensor[], ...args: Args): Program =>
  compile(fn).program(...args);
const product = (a: Shape, b: Shape, dtype: DType = "float32"): Program =>
  program((x, y) => matmul(x, y), make(a, dtype), make(b, dtype));
