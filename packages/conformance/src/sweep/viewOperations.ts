/** Steps that move elements: views, joins, gathers and scatters. */
import { type Draw, divisors, maxElements, type Operation, type Value } from "./draw.ts";

/** Sizes whose product is `size`: a random way to cut the elements up. */
function factors(draw: Draw, size: number): number[] {
  if (size === 0) return [0, draw.integer(1, 3)];
  const shape: number[] = [];
  let rest = size;
  for (let i = 0; i < 4 && (rest > 1 || i === 0); i++) {
    const d = draw.pick(divisors(rest)) as number;
    shape.push(d);
    rest /= d;
  }
  return rest > 1 ? [...shape, rest] : shape;
}

export const viewOperations: Readonly<Record<string, Operation>> = {
  permute: (draw) => {
    const x = draw.operand(({ rank }) => rank > 1);
    if (!x) return undefined;
    const axes = [...x.tensor.shape.keys()];
    for (let i = axes.length - 1; i > 0; i--) {
      const j = draw.integer(0, i);
      [axes[i], axes[j]] = [axes[j] as number, axes[i] as number];
    }
    return draw.call("permute", x, axes);
  },
  reshape: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("reshape", x, factors(draw, x.tensor.size));
  },
  woven: (draw) => {
    const a = draw.float(({ rank, size }) => rank > 1 && size > 1);
    const b = a && draw.float(({ rank, size }) => rank > 1 && size === a.tensor.size);
    if (!a || !b) return undefined;
    const turned = (x: Value) => (draw.flag() ? x : draw.call("transpose", x));
    const shape = factors(draw, a.tensor.size);
    return draw.call("sub", draw.call("reshape", turned(a), shape), draw.call("reshape", turned(b), shape));
  },
  flatten: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("flatten", x);
  },
  slice: (draw) => {
    const x = draw.operand(({ rank }) => rank > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const size = x.tensor.shape[axis] as number;
    return draw.call("slice", x, {
      axis,
      start: draw.integer(0, size),
      end: draw.integer(0, size),
      step: draw.integer(1, 3),
    });
  },
  tail: (draw) => {
    const x = draw.operand(({ rank, size }) => rank > 0 && size > 1);
    return (
      x && draw.call("slice", x, { axis: draw.axis(x.tensor), start: draw.integer(0, 1), step: draw.integer(1, 2) })
    );
  },
  pad: (draw) => {
    const x = draw.float(({ rank }) => rank > 0);
    if (!x || x.tensor.size > maxElements / 4) return undefined;
    const amounts = x.tensor.shape.slice(-2).flatMap(() => [draw.integer(0, 2), draw.integer(0, 1)]);
    return draw.call("pad", x, amounts, { value: draw.integer(0, 2) });
  },
  flip: (draw) => {
    const x = draw.operand(({ rank }) => rank > 0);
    return x && draw.call("flip", x, draw.axes(x.tensor));
  },
  repeat: (draw) => {
    const x = draw.operand(({ rank, size }) => rank < 5 && size <= maxElements / 4);
    if (!x) return undefined;
    const axis = draw.integer(0, x.tensor.rank);
    const single = draw.call("unsqueeze", x, axis);
    return draw.call("expand", single, single.tensor.shape.toSpliced(axis, 1, draw.integer(1, 4)));
  },
  window: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && rank < 5 && size <= maxElements / 4);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const length = x.tensor.shape[axis] as number;
    const size = draw.integer(1, 3);
    const count = draw.integer(1, length + 1);
    const options = {
      axis,
      size,
      count,
      stride: draw.integer(1, 2),
      dilation: draw.integer(1, 2),
      offset: -draw.integer(0, 2),
    };
    return draw.call("window", x, options);
  },
  diagonal: (draw) => {
    const x = draw.float(({ rank }) => rank > 1);
    return x && draw.call("diagonal", x, { offset: draw.integer(0, 2) - 1 });
  },
  tril: (draw) => {
    const x = draw.float(({ rank }) => rank > 1);
    return x && draw.call(draw.flag() ? "tril" : "triu", x, { diagonal: draw.integer(0, 2) - 1 });
  },
  concat: (draw) => {
    const a = draw.float(({ rank }) => rank > 0);
    if (!a) return undefined;
    const axis = draw.axis(a.tensor);
    const { shape, rank, dtype, size } = a.tensor;
    const b = draw.operand(
      (x) =>
        x.rank === rank &&
        x.dtype === dtype &&
        x.size + size <= maxElements &&
        x.shape.every((n, i) => i === axis || n === shape[i]),
    );
    return b && draw.call("concat", [a, b], { axis });
  },
  stack: (draw) => {
    const a = draw.float(({ rank, size }) => rank < 5 && size <= maxElements / 3);
    const b = a && draw.operand((x) => x.dtype === a.tensor.dtype && x.shape.join() === a.tensor.shape.join());
    return a && b && draw.call("stack", [a, b, a], { axis: draw.integer(0, a.tensor.rank) });
  },
  split: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 1);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const size = x.tensor.shape[axis] as number;
    const first = draw.integer(0, size);
    return draw.calls("split", ["0", "1"], x, [first, size - first], { axis });
  },

  gather: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const shape = x.tensor.shape.map((n, i) => (i === axis ? draw.integer(1, 4) : Math.max(0, n - draw.integer(0, 1))));
    return draw.call("gather", x, draw.index(shape, x.tensor.shape[axis] as number), { axis });
  },
  indexSelect: (draw) => {
    const x = draw.operand(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    return draw.call("indexSelect", x, draw.index([draw.integer(1, 5)], x.tensor.shape[axis] as number), { axis });
  },
  scatterAdd: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const shape = x.tensor.shape.map((n, i) => (i === axis ? draw.integer(1, 4) : n));
    const index = draw.index(shape, x.tensor.shape[axis] as number);
    const source = draw.float(
      ({ rank, shape: s }) => rank === shape.length && s.every((n, i) => n >= (shape[i] as number)),
    );
    const values = source && source.tensor.dtype === x.tensor.dtype ? source : draw.weights(shape, x);
    return draw.call("scatterAdd", x, index, values, { axis });
  },
  embedding: (draw) => {
    const weight = draw.float(({ rank, size }) => rank === 2 && size > 0);
    if (!weight) return undefined;
    return draw.call("embedding", draw.index([2, draw.integer(1, 3)], weight.tensor.shape[0] as number), weight);
  },
};
