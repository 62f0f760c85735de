/** Steps that multiply and add up: products, convolutions, pooling. */
import { broadcasts, type Draw, divisors, maxElements, type Operation, type Value } from "./draw.ts";

/** x brought to rank 4 with spatial sizes worth sliding over. */
function image(draw: Draw): Value | undefined {
  const x = draw.float(({ size }) => size > 0);
  if (!x) return undefined;
  if (x.tensor.rank === 4 && draw.flag()) return x;
  const { size } = x.tensor;
  const channels = [4, 2, 3, 1].find((c) => size % c === 0) as number;
  const columns = [4, 3, 5, 2, 1].find((n) => (size / channels) % n === 0) as number;
  return draw.call("reshape", x, [1, channels, size / channels / columns, columns]);
}

function convolution(draw: Draw): Value | undefined {
  const x = image(draw);
  if (!x) return undefined;
  const [n, c, h, w] = x.tensor.shape as [number, number, number, number];
  const groups = draw.pick(divisors(c)) as number;
  const out = groups * draw.integer(1, 2);
  const kernel = [draw.integer(1, 3), draw.integer(1, 3)] as const;
  const geometry = {
    stride: [draw.integer(1, 3), draw.integer(1, 2)],
    padding: [draw.integer(0, 2), draw.integer(0, 1)],
    dilation: [draw.integer(1, 2), draw.integer(1, 3)],
    groups,
  };
  const span = (axis: 0 | 1, size: number): number =>
    size + 2 * (geometry.padding[axis] as number) - (geometry.dilation[axis] as number) * (kernel[axis] - 1);
  if (span(0, h) < 1 || span(1, w) < 1 || n * out * span(0, h) * span(1, w) > 4 * maxElements) return undefined;
  const weight = draw.weights([out, c / groups, ...kernel], x);
  return draw.flag()
    ? draw.call("conv2d", x, weight, draw.weights([out], x), geometry)
    : draw.call("conv2d", x, weight, undefined, geometry);
}

function transposedConvolution(draw: Draw): Value | undefined {
  const x = image(draw);
  if (!x) return undefined;
  const [n, c, h, w] = x.tensor.shape as [number, number, number, number];
  const groups = draw.pick(divisors(c)) as number;
  const stride = [draw.integer(1, 2), draw.integer(1, 3)] as const;
  const kernel = [draw.integer(1, 3), draw.integer(1, 2)] as const;
  if (n * groups * h * w * stride[0] * stride[1] > maxElements) return undefined;
  return draw.call("convTranspose2d", x, draw.weights([c, 1, ...kernel], x), undefined, {
    stride: [...stride],
    groups,
  });
}

const pool =
  (fn: "maxPool2d" | "avgPool2d"): Operation =>
  (draw) => {
    const x = image(draw);
    if (!x) return undefined;
    const [h, w] = x.tensor.shape.slice(2) as [number, number];
    const kernelSize = [draw.integer(1, Math.min(3, h)), draw.integer(1, Math.min(3, w))];
    const stride = [draw.integer(1, 3), draw.integer(1, 2)];
    const padding = kernelSize.map((k) => Math.min(draw.integer(0, 1), Math.floor(k / 2)));
    return draw.call(fn, x, { kernelSize, stride, padding, ceilMode: draw.flag() });
  };

export const contractionOperations: Readonly<Record<string, Operation>> = {
  matmul: (draw) => {
    const a = draw.float(({ rank }) => rank >= 1 && rank <= 4);
    if (!a) return undefined;
    const k = a.tensor.shape[a.tensor.rank - 1] as number;
    const b = draw.operand(
      (x) =>
        x.dtype === a.tensor.dtype &&
        x.rank >= 2 &&
        x.shape[x.rank - 2] === k &&
        broadcasts(a.tensor.shape.slice(0, -2), x.shape.slice(0, -2)) &&
        a.tensor.size * x.size <= 16 * maxElements,
    );
    return draw.call("matmul", a, b ?? draw.weights([k, draw.integer(1, 4)], a));
  },
  transposedProduct: (draw) => {
    const a = draw.float(({ rank, size }) => rank >= 2 && rank <= 4 && size <= 100);
    if (!a) return undefined;
    const product = draw.call("matmul", a, draw.weights([a.tensor.shape[a.tensor.rank - 1] as number, 3], a));
    return draw.call("transpose", product);
  },
  mirrored: (draw) => {
    const x = draw.float(({ rank }) => rank > 0);
    return x && draw.call("add", x, draw.call("flip", x, [draw.axis(x.tensor)]));
  },
  gram: (draw) => {
    const a = draw.float(({ rank, size }) => rank >= 2 && size <= 100);
    return a && draw.call("matmul", a, draw.call("transpose", a));
  },
  linear: (draw) => {
    const x = draw.float(({ rank, size }) => rank >= 1 && size <= 100);
    if (!x) return undefined;
    const out = draw.integer(1, 4);
    const k = x.tensor.shape[x.tensor.rank - 1] as number;
    return draw.call("linear", x, draw.weights([out, k], x), draw.flag() ? draw.weights([out], x) : undefined);
  },
  conv2d: convolution,
  convTranspose2d: transposedConvolution,
  maxPool2d: pool("maxPool2d"),
  avgPool2d: pool("avgPool2d"),
};
