/**
 * Input gradients of large strides, which have too many phases for a function each: what every element of the output
 * gradient gives to every tap is computed as one product, and added up where it belongs.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import { bulk, type FunctionBuilder, f32, i32, type Local } from "../emit/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { forTasks } from "./tasks.ts";
import type { Windows } from "./windows.ts";

/** Sums over output channels, for every input channel and tap: a convolution 1×1 of the output gradient. */
export function contributionWindows({ geometry: { groups }, weight, y }: ConvolutionKernel): Windows {
  return {
    image: { planes: y[0] * y[1], source: [y[2], y[3]], low: [0, 0], size: [y[2], y[3]] },
    images: y[0],
    groups,
    rows: weight[1] * weight[2] * weight[3],
    depth: weight[0] / groups,
    taps: [1, 1],
    step: [1, 1],
    spread: [1, 1],
    size: [y[2], y[3]],
    origin: [0, 0],
    weights: { kernel: [1, 1], first: [0, 0], step: [1, 1] },
  };
}

/** Adds up `contributions`, [n, c, kh, kw, oh, ow], to `sums`, [n, c, h, w]. */
export function fold({ geometry, x, weight, y }: ConvolutionKernel, contributions: Pointer, sums: Pointer): Launch {
  const planes = x[0] * x[1];
  const windows = weight[2] * weight[3] * y[2] * y[3];
  const tasks = taskCount(planes, 4 * windows);
  return {
    key: JSON.stringify(["fold", geometry, x, weight, y]),
    pointers: [contributions, sums],
    tasks,
    build(f) {
      forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, planes, (plane) => {
        const from = f.let(i32.add(f.parameter(0, "i32"), i32.mul(plane, 4 * windows)));
        const to = f.let(i32.add(f.parameter(1, "i32"), i32.mul(plane, 4 * x[2] * x[3])));
        f.do(bulk.fill(to, 0, 4 * x[2] * x[3]));
        addPlane(f, { geometry, x, weight, y }, from, to);
      });
    },
  };
}

/** `from` is used up. */
function addPlane(
  f: FunctionBuilder,
  { geometry, x, weight, y }: Pick<ConvolutionKernel, "geometry" | "x" | "weight" | "y">,
  from: Local<"i32">,
  to: Local<"i32">,
): void {
  const { stride, padding, dilation } = geometry;
  const [i, j, oh, ow] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const [row, column, target] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.for(i, 0, weight[2], 1, () => {
    f.for(j, 0, weight[3], 1, () => {
      f.set(row, i32.sub(i32.mul(i, dilation[0]), padding[0]));
      f.for(oh, 0, y[2], 1, () => {
        f.set(column, i32.sub(i32.mul(j, dilation[1]), padding[1]));
        f.for(ow, 0, y[3], 1, () => {
          // Negative ones are large without a sign.
          f.if(i32.and(i32.ltU(row, x[2]), i32.ltU(column, x[3])), () => {
            f.set(target, i32.add(to, i32.mul(i32.add(i32.mul(row, x[3]), column), 4)));
            f.do(f32.store(target, f32.add(f32.load(target), f32.load(from))));
          });
          f.set(from, i32.add(from, 4));
          f.set(column, i32.add(column, stride[1]));
        });
        f.set(row, i32.add(row, stride[0]));
      });
    });
  });
}
