/**
 * Every rule against central differences in float64, to first and to second order, on nodes made by hand; and the
 * adjoints of the linear operations by ⟨Ax, y⟩ = ⟨x, Aᵀy⟩.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateNode, evaluateNodes } from "../graph/evaluate.ts";
import {
  type Attributes,
  type BinaryOp,
  binaryOps,
  comparisonOps,
  makeNode,
  type Node,
  type OpName,
  type UnaryOp,
  unaryOps,
} from "../graph/node.ts";
import { type Shape, sizeOf } from "../graph/shape.ts";
import { Storage } from "../runtime/storage.ts";
import { backward } from "./backward.ts";
import { fillLike, flip, zeroDilate } from "./build.ts";
import { rules } from "./rules/index.ts";

/** Deterministic numbers in (-1, 1) without ties. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    yield state / 2 ** 31;
  }
}

function leaf(values: ArrayLike<number>, shape: Shape): Node {
  return makeNode(
    "data",
    [],
    { source: Storage.fromHost(Float64Array.from(values), shape, "float64") },
    shape,
    "float64",
  );
}
function indices(values: number[], shape: Shape): Node {
  return makeNode("data", [], { source: Storage.fromHost(Int32Array.from(values), shape, "int32") }, shape, "int32");
}
function random(shape: Shape, seed: number, from = -2, to = 2): Node {
  const source = numbers(seed * 7919 + 1);
  return leaf(
    Array.from({ length: sizeOf(shape) }, () => from + ((to - from) * (source.next().value + 1)) / 2),
    shape,
  );
}

const valuesOf = (node: Node, bindings?: ReadonlyMap<Node, ArrayLike<number>>): Float64Array =>
  evaluateNode(node, bindings ? { nodes: bindings } : {}).values;
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);

/** d⟨output, cotangent⟩ / d variable by central differences. */
function differences(outputs: readonly Node[], cotangents: readonly Node[], variable: Node): number[] {
  const weights = cotangents.map((node) => valuesOf(node));
  const at = valuesOf(variable);
  const value = (moved: Float64Array) =>
    evaluateNodes(outputs, { nodes: new Map([[variable, moved]]) }).reduce(
      (sum, { values }, i) => sum + dot(values, weights[i] as Float64Array),
      0,
    );
  return Array.from(at, (x, i) => {
    const h = 5e-4 * Math.max(1, Math.abs(x));
    const move = (step: number) => value(at.map((old, j) => (j === i ? old + step : old)));
    // Two step sizes, extrapolated: the error is O(h⁴).
    return (4 * ((move(h / 2) - move(-h / 2)) / h) - (move(h) - move(-h)) / (2 * h)) / 3;
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (!(Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e))))
      expect.fail(`element ${i}: ${a}, by differences ${e}`);
  }
}

/** First and second derivatives of `output` by all `variables` against differences. */
function check(output: Node, variables: readonly Node[]): void {
  const cotangent = random(output.shape, 11);
  const gradients = backward([output], [cotangent], variables).map((gradient, i) => {
    expect(gradient?.shape).toEqual(variables[i]?.shape);
    expect(gradient?.dtype).toBe("float64");
    return gradient as Node;
  });
  variables.forEach((variable, i) => {
    expectClose(valuesOf(gradients[i] as Node), differences([output], [cotangent], variable), 1e-8);
  });
  const directions = variables.map((variable, i) => random(variable.shape, 23 + i));
  const second = backward(gradients, directions, variables);
  variables.forEach((variable, i) => {
    const product = valuesOf(second[i] ?? fillLike(0, variable));
    expectClose(product, differences(gradients, directions, variable), 1e-7);
  });
}

type Build = () => readonly [output: Node, variables: readonly Node[]];
type Cases = readonly Build[] | "none";

function apply<K extends OpName>(op: K, inputs: readonly Node[], attributes: Attributes[K], shape: Shape): Node {
  return makeNode(op, inputs, attributes, shape, "float64") as unknown as Node;
}

const domains: Partial<Record<UnaryOp, readonly [number, number]>> = {
  log: [0.2, 3],
  log1p: [-0.8, 3],
  sqrt: [0.2, 3],
  rsqrt: [0.3, 3],
  reciprocal: [0.3, 3],
  tan: [-1.2, 1.2],
};
const unaryCase =
  (op: UnaryOp): Build =>
  () => {
    const x = random([7], 3, ...(domains[op] ?? ([-2.3, 2.4] as const)));
    return [apply(op, [x], {}, [7]), [x]];
  };
const binaryCase =
  (op: BinaryOp): Build =>
  () => {
    const a = random([6], 5, op === "pow" ? 0.3 : -2, 2);
    const b = random([6], 6, op === "div" || op === "mod" ? 0.5 : -2, 2);
    return [apply(op, [a, b], {}, [6]), [a, b]];
  };

const reduceCase =
  (op: "sum" | "prod" | "max" | "min", axes: readonly number[]): Build =>
  () => {
    const x = random([2, 3, 4], 9);
    return [
      apply(
        op,
        [x],
        { axes },
        x.shape.filter((_, axis) => !axes.includes(axis)),
      ),
      [x],
    ];
  };

function casesOf<K extends OpName>(
  ops: readonly K[],
  without: readonly K[],
  build: (op: K) => Build,
): Record<K, Cases> {
  const entries = ops.map((op): [K, Cases] => [op, without.includes(op) ? "none" : [build(op)]]);
  return Object.fromEntries(entries) as Record<K, Cases>;
}

const geometry = { stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 2 } as const;
const [xShape, weightShape, yShape] = [
  [2, 4, 5, 6],
  [6, 2, 3, 2],
  [2, 6, 3, 4],
] as const;

const cases: Record<OpName, Cases> = {
  constant: "none",
  uniform: "none",
  data: "none",
  parameter: "none",
  placeholder: "none",
  iota: "none",
  random: "none",
  ...casesOf(unaryOps, ["isNaN", "not"], unaryCase),
  ...casesOf(binaryOps, [...comparisonOps, "and", "or", "xor", "shiftLeft", "shiftRight", "mulHigh"], binaryCase),
  where: [
    () => {
      const [a, b, key] = [random([5], 1), random([5], 2), random([5], 3)];
      const condition = makeNode("less", [key, fillLike(0, key)], {}, [5], "bool");
      return [apply("where", [condition, a, b], {}, [5]), [a, b]];
    },
  ],
  cast: [
    () => {
      const x = random([3], 1);
      return [makeNode("cast", [x], {}, [3], "float64"), [x]];
    },
  ],
  stopGradient: "none",
  barrier: [
    () => {
      const x = random([3], 1);
      return [apply("barrier", [x], {}, [3]), [x]];
    },
  ],
  sum: [reduceCase("sum", [1]), reduceCase("sum", [0, 1, 2])],
  prod: [
    reduceCase("prod", [1]),
    reduceCase("prod", [0, 2]),
    reduceCase("prod", []),
    () => {
      const x = leaf([2, 0, 3, 0, 0, 5, 1, 2, 0], [3, 3]);
      return [apply("prod", [x], { axes: [1] }, [3]), [x]];
    },
  ],
  max: [reduceCase("max", [1]), reduceCase("max", [0, 1, 2])],
  min: [reduceCase("min", [0, 2])],
  argMax: "none",
  argMin: "none",
  reshape: [
    () => {
      const x = random([2, 3], 1);
      return [apply("reshape", [x], {}, [3, 1, 2]), [x]];
    },
  ],
  permute: [
    () => {
      const x = random([2, 3, 4], 1);
      return [apply("permute", [x], { axes: [2, 0, 1] }, [4, 2, 3]), [x]];
    },
  ],
  expand: [
    () => {
      const x = random([1, 3, 1], 1);
      return [apply("expand", [x], {}, [2, 3, 4]), [x]];
    },
  ],
  slice: [
    () => {
      const x = random([7, 5], 1);
      return [apply("slice", [x], { start: [6, 1], step: [-2, 3] }, [3, 2]), [x]];
    },
  ],
  pad: [
    () => {
      const x = random([3, 4], 1);
      return [apply("pad", [x], { before: [1, -1], after: [0, 2], value: 3 }, [4, 5]), [x]];
    },
  ],
  shear: [
    () => {
      const x = random([6, 3], 1);
      return [apply("shear", [x], { axis: 0, along: 1, stride: 2, dilation: 1, offset: -1 }, [4, 3]), [x]];
    },
  ],
  matmul: [
    () => {
      const [a, b] = [random([2, 3, 4], 1), random([2, 4, 2], 2)];
      return [apply("matmul", [a, b], {}, [2, 3, 2]), [a, b]];
    },
    () => {
      const [a, b] = [random([2, 4, 3], 1), random([2, 2, 4], 2)];
      const flipped = [
        apply("permute", [a], { axes: [0, 2, 1] }, [2, 3, 4]),
        apply("permute", [b], { axes: [0, 2, 1] }, [2, 4, 2]),
      ];
      return [apply("matmul", flipped, {}, [2, 3, 2]), [a, b]];
    },
  ],
  conv2d: [
    () => {
      const [x, weight] = [random(xShape, 1), random(weightShape, 2)];
      return [apply("conv2d", [x, weight], geometry, yShape), [x, weight]];
    },
  ],
  conv2dInputGradient: [
    () => {
      const [y, weight] = [random(yShape, 1), random(weightShape, 2)];
      return [apply("conv2dInputGradient", [y, weight], geometry, xShape), [y, weight]];
    },
  ],
  conv2dWeightGradient: [
    () => {
      const [x, y] = [random(xShape, 1), random(yShape, 2)];
      return [apply("conv2dWeightGradient", [x, y], geometry, weightShape), [x, y]];
    },
  ],
  gather: [
    () => {
      const x = random([3, 4], 1);
      return [apply("gather", [x, indices([2, 0, 2, 2, 1, 0], [2, 3])], { axis: 0 }, [2, 3]), [x]];
    },
  ],
  scatterAdd: [
    () => {
      const [x, source] = [random([3, 4], 1), random([3, 3], 2)];
      return [apply("scatterAdd", [x, indices([2, 0, 2, 2, 1, 0], [2, 3]), source], { axis: 0 }, [3, 4]), [x, source]];
    },
  ],
  cumSum: [
    () => {
      const x = random([3, 4], 1);
      return [apply("cumSum", [x], { axis: 1 }, [3, 4]), [x]];
    },
  ],
  argSort: "none",
};

describe("derivative rules against differences", () => {
  for (const [op, builds] of Object.entries(cases) as [OpName, Cases][]) {
    if (builds === "none") {
      it(`${op} has none`, () => expect(rules[op]).toBe("none"));
      continue;
    }
    // Kept from being linear, so that second derivatives are put to the test: the square of the output.
    it.each(builds.map((build, i) => [i, build] as const))(`${op} %d`, (_i, build) => {
      const [output, variables] = build();
      check(output, variables);
      check(makeNode("mul", [output, output], {}, output.shape, "float64"), variables);
    });
  }
});

describe("derivatives at kinks", () => {
  const gradientOf = (op: UnaryOp, values: number[]): number[] => {
    const x = leaf(values, [values.length]);
    const output = apply(op, [x], {}, [values.length]);
    return [...valuesOf(backward([output], [fillLike(1, output)], [x])[0] as Node)];
  };
  const gradientsOf = (op: BinaryOp, a: number[], b: number[]): number[][] => {
    const [x, y] = [leaf(a, [a.length]), leaf(b, [b.length])];
    const output = apply(op, [x, y], {}, [a.length]);
    return backward([output], [fillLike(1, output)], [x, y]).map((gradient) => [...valuesOf(gradient as Node)]);
  };

  it("takes PyTorch's value", () => {
    expect(gradientOf("relu", [-1, 0, 2])).toEqual([0, 0, 1]);
    expect(gradientOf("abs", [-3, 0, 3])).toEqual([-1, 0, 1]);
    expect(gradientOf("sqrt", [0, 4])).toEqual([Infinity, 0.25]);
    expect(gradientOf("floor", [0.5])).toEqual([0]);
    expect(gradientsOf("maximum", [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(gradientsOf("minimum", [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
    expect(gradientsOf("pow", [0, 0, 0, 2], [2, 0, 0.5, 0])).toEqual([
      [0, 0, Infinity, 0],
      [0, 0, 0, Math.log(2)],
    ]);
  });

  it("shares an extreme between ties", () => {
    const x = leaf([3, 1, 3, 2, 2, 2], [2, 3]);
    const output = apply("max", [x], { axes: [1] }, [2]);
    const gradient = backward([output], [leaf([1, 3], [2])], [x])[0] as Node;
    expect([...valuesOf(gradient)]).toEqual([0.5, 0, 0.5, 1, 1, 1]);
  });

  it("lets no NaN out of the branch that where did not choose", () => {
    const x = leaf([0, 4], [2]);
    const condition = makeNode("less", [fillLike(0, x), x], {}, [2], "bool");
    const output = apply("where", [condition, apply("log", [x], {}, [2]), x], {}, [2]);
    const gradient = backward([output], [fillLike(1, x)], [apply("log", [x], {}, [2]), x])[1] as Node;
    // The gradient of log at 0 is 0 · ∞ only because its cotangent 0 is divided by 0, as in PyTorch.
    expect(valuesOf(gradient)[1]).toBe(0.25);
    const [toLog] = backward([output], [leaf([Number.NaN, 1], [2])], [output.inputs[1] as Node]);
    expect([...valuesOf(toLog as Node)]).toEqual([0, 1]);
  });
});

describe("adjoints", () => {
  /** ⟨Ax, y⟩ = ⟨x, Aᵀy⟩. */
  const expectAdjoint = (op: (x: Node) => Node, shape: Shape, seed: number) => {
    const x = random(shape, seed);
    const output = op(x);
    const y = random(output.shape, seed + 1);
    const adjoint = backward([output], [y], [x])[0] as Node;
    const [forward, back] = [dot(valuesOf(output), valuesOf(y)), dot(valuesOf(x), valuesOf(adjoint))];
    expect(Math.abs(forward - back)).toBeLessThan(1e-11 * Math.max(1, Math.abs(forward)));
  };
  const seed = fc.integer({ min: 1, max: 1000 });
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

  it("slice", () => {
    const axis = fc.record({
      start: fc.nat(4),
      before: fc.nat(2),
      n: fc.nat(4),
      step: fc.constantFrom(-3, -2, -1, 1, 2, 3),
    });
    fc.assert(
      fc.property(fc.array(axis, { minLength: 1, maxLength: 3 }), seed, (axes, s) => {
        const reach = axes.map(({ n, step }) => Math.max(0, n - 1) * Math.abs(step));
        const start = axes.map(({ before, step }, i) => (step > 0 ? before : before + (reach[i] as number)));
        const shape = axes.map(({ start: after, before }, i) => before + (reach[i] as number) + 1 + after);
        const out = axes.map(({ n }) => n);
        expectAdjoint((x) => apply("slice", [x], { start, step: axes.map(({ step }) => step) }, out), shape, s);
      }),
    );
  });

  it("pad", () => {
    const side = fc.integer({ min: -1, max: 3 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 2, max: 4 }), side, side), { minLength: 1, maxLength: 3 }),
        seed,
        (axes, s) => {
          const [before, after] = [axes.map(([, b]) => b), axes.map(([, , a]) => a)];
          expectAdjoint(
            (x) =>
              apply(
                "pad",
                [x],
                { before, after, value: 0 },
                axes.map(([n, b, a]) => n + b + a),
              ),
            axes.map(([n]) => n),
            s,
          );
        },
      ),
    );
  });

  it("shear, and the shear that is its adjoint", () => {
    const attributes = fc.record({
      stride: fc.integer({ min: -3, max: 3 }),
      dilation: fc.integer({ min: -3, max: 3 }),
      offset: fc.integer({ min: -5, max: 5 }),
      swap: fc.boolean(),
    });
    const size = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(attributes, size, size, size, seed, ({ swap, ...rest }, from, to, along, s) => {
        const at = swap ? { axis: 2, along: 0 } : { axis: 0, along: 2 };
        const shape = (n: number) => (swap ? [along, 2, n] : [n, 2, along]);
        expectAdjoint((x) => apply("shear", [x], { ...at, ...rest }, shape(to)), shape(from), s);
      }),
      { numRuns: 300 },
    );
  });

  it("permute and expand", () => {
    fc.assert(
      fc.property(sizes, seed, (shape, s) => {
        const axes = shape.map((_, axis) => axis).sort((a, b) => ((a * s) % 7) - ((b * s) % 7));
        expectAdjoint(
          (x) =>
            apply(
              "permute",
              [x],
              { axes },
              axes.map((axis) => shape[axis] as number),
            ),
          shape,
          s,
        );
        const narrow = shape.map((n, axis) => ((s >> axis) & 1 ? 1 : n));
        expectAdjoint((x) => apply("expand", [x], {}, shape), narrow, s);
      }),
    );
  });

  it("conv2d in each operand", () => {
    const spatial = fc.record({
      n: fc.integer({ min: 3, max: 7 }),
      k: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.nat(2),
      dilation: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(spatial, spatial, fc.constantFrom(1, 2), seed, (h, w, groups, s) => {
        const out = ({ n, k, stride, padding, dilation }: typeof h) =>
          Math.floor((n + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
        fc.pre(out(h) > 0 && out(w) > 0);
        const convGeometry = {
          stride: [h.stride, w.stride],
          padding: [h.padding, w.padding],
          dilation: [h.dilation, w.dilation],
          groups,
        } as const;
        const [x, weight, y] = [
          [2, 2 * groups, h.n, w.n],
          [groups, 2, h.k, w.k],
          [2, groups, out(h), out(w)],
        ];
        const constants = { x: random(x, s + 2), weight: random(weight, s + 3), y: random(y, s + 4) };
        expectAdjoint((node) => apply("conv2d", [node, constants.weight], convGeometry, y), x, s);
        expectAdjoint((node) => apply("conv2d", [constants.x, node], convGeometry, y), weight, s);
        expectAdjoint((node) => apply("conv2dInputGradient", [node, constants.weight], convGeometry, x), y, s);
        expectAdjoint((node) => apply("conv2dInputGradient", [constants.y, node], convGeometry, x), weight, s);
        expectAdjoint((node) => apply("conv2dWeightGradient", [node, constants.y], convGeometry, weight), x, s);
        expectAdjoint((node) => apply("conv2dWeightGradient", [constants.x, node], convGeometry, weight), y, s);
      }),
      { numRuns: 40 },
    );
  });
});

describe("build", () => {
  it("dilates with zeros and flips", () => {
    expect([...valuesOf(zeroDilate(leaf([1, 2, 3, 4], [2, 2]), 1, 3))]).toEqual([1, 0, 0, 2, 3, 0, 0, 4]);
    expect([...valuesOf(flip(leaf([1, 2, 3, 4], [2, 2]), [0]))]).toEqual([3, 4, 1, 2]);
  });
});
