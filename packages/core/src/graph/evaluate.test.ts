import { describe, expect, it } from "vitest";
import { Storage } from "../runtime/storage.ts";
import { IndexError } from "./errors.ts";
import { evaluateNode, evaluateNodes } from "./evaluate.ts";
import { makeNode, type Node } from "./node.ts";

const data = (values: number[], shape: number[]): Node =>
  makeNode("data", [], { source: Storage.fromHost(Float64Array.from(values), shape, "float64") }, shape, "float64");
const indices = (values: number[], shape: number[]): Node =>
  makeNode("data", [], { source: Storage.fromHost(Int32Array.from(values), shape, "int32") }, shape, "int32");
const word = (value: number): Node => makeNode("constant", [], { value }, [], "uint32");
const values = (node: Node): number[] => [...evaluateNode(node).values];

const x = data([1, 2, 3, 4, 5, 6], [2, 3]);

describe("evaluateNode", () => {
  it("reads leaves", () => {
    expect(values(makeNode("constant", [], { value: 2.5 }, [], "float32"))).toEqual([2.5]);
    expect(values(makeNode("uniform", [], { uniform: { name: "rate", value: () => 0.1 } }, [], "float32"))).toEqual([
      0.1,
    ]);
    expect(values(makeNode("iota", [], {}, [3], "int32"))).toEqual([0, 1, 2]);
    const placeholder = makeNode("placeholder", [], { index: 1 }, [2], "float64");
    expect([...evaluateNode(placeholder, { placeholders: [[], [7, 8]] }).values]).toEqual([7, 8]);
    expect(() => evaluateNode(placeholder)).toThrow("placeholder 1 is not bound");
    const half = makeNode(
      "data",
      [],
      { source: Storage.fromHost(Uint16Array.of(0x3e00), [1], "float16") },
      [1],
      "float16",
    );
    expect(values(half)).toEqual([1.5]);
  });

  it("draws Philox words in order", () => {
    const random = makeNode("random", [word(0), word(0), word(0), word(0)], {}, [4], "uint32");
    expect(values(random)).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  it("reduces, first extreme and NaN", () => {
    expect(values(makeNode("sum", [x], { axes: [0] }, [3], "float64"))).toEqual([5, 7, 9]);
    expect(values(makeNode("prod", [x], { axes: [0, 1] }, [], "float64"))).toEqual([720]);
    expect(values(makeNode("max", [x], { axes: [1] }, [2], "float64"))).toEqual([3, 6]);
    expect(values(makeNode("max", [data([], [0, 2])], { axes: [0] }, [2], "float64"))).toEqual([-Infinity, -Infinity]);
    const ties = data([1, 4, 4, Number.NaN, 9, Number.NaN], [2, 3]);
    expect(values(makeNode("argMax", [ties], { axes: [1] }, [2], "int32"))).toEqual([1, 0]);
    expect(values(makeNode("min", [ties], { axes: [1] }, [2], "float64"))).toEqual([1, Number.NaN]);
  });

  it("moves elements through views", () => {
    expect(values(makeNode("permute", [x], { axes: [1, 0] }, [3, 2], "float64"))).toEqual([1, 4, 2, 5, 3, 6]);
    expect(values(makeNode("expand", [data([1, 2], [2, 1])], {}, [2, 2], "float64"))).toEqual([1, 1, 2, 2]);
    expect(values(makeNode("slice", [x], { start: [0, 2], step: [1, -2] }, [2, 2], "float64"))).toEqual([3, 1, 6, 4]);
    expect(
      values(makeNode("pad", [data([1, 2], [2])], { before: [1], after: [-1], value: 9 }, [2], "float64")),
    ).toEqual([9, 1]);
    const window = makeNode("expand", [data([1, 2, 3, 4], [4, 1])], {}, [4, 2], "float64");
    const shear = { axis: 0, along: 1, stride: 2, dilation: 1, offset: -1 };
    expect(values(makeNode("shear", [window], shear, [2, 2], "float64"))).toEqual([0, 1, 2, 3]);
  });

  it("contracts", () => {
    const b = data([1, 0, 0, 1, 1, 1], [3, 2]);
    expect(values(makeNode("matmul", [x, b], {}, [2, 2], "float64"))).toEqual([4, 5, 10, 11]);
    const geometry = { stride: [2, 1], padding: [0, 1], dilation: [1, 1], groups: 1 } as const;
    const image = data([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
    const kernel = data([1, 10], [1, 1, 1, 2]);
    expect(values(makeNode("conv2d", [image, kernel], geometry, [1, 1, 2, 4], "float64"))).toEqual([
      10, 21, 32, 3, 70, 87, 98, 9,
    ]);
    const y = data([1, 0, 0, 0, 0, 1, 0, 0], [1, 1, 2, 4]);
    expect(values(makeNode("conv2dInputGradient", [y, kernel], geometry, [1, 1, 3, 3], "float64"))).toEqual([
      10, 0, 0, 0, 0, 0, 1, 10, 0,
    ]);
    expect(values(makeNode("conv2dWeightGradient", [image, y], geometry, [1, 1, 1, 2], "float64"))).toEqual([7, 9]);
  });

  it("indexes", () => {
    expect(values(makeNode("gather", [x, indices([1, 0, 1], [1, 3])], { axis: 0 }, [1, 3], "float64"))).toEqual([
      4, 2, 6,
    ]);
    expect(() => evaluateNode(makeNode("gather", [x, indices([2], [1, 1])], { axis: 0 }, [1, 1], "float64"))).toThrow(
      IndexError,
    );
    const added = makeNode(
      "scatterAdd",
      [x, indices([2, 2], [1, 2]), data([10, 20], [1, 2])],
      { axis: 1 },
      [2, 3],
      "float64",
    );
    expect(values(added)).toEqual([1, 2, 33, 4, 5, 6]);
    expect(values(makeNode("cumSum", [x], { axis: 0 }, [2, 3], "float64"))).toEqual([1, 2, 3, 5, 7, 9]);
    const keys = data([2, Number.NaN, 1, 2], [4]);
    expect(values(makeNode("argSort", [keys], { axis: 0, descending: false }, [4], "int32"))).toEqual([2, 0, 3, 1]);
    expect(values(makeNode("argSort", [keys], { axis: 0, descending: true }, [4], "int32"))).toEqual([1, 0, 3, 2]);
  });

  it("chooses and casts", () => {
    const condition = makeNode(
      "less",
      [x, makeNode("expand", [data([3], [1, 1])], {}, [2, 3], "float64")],
      {},
      [2, 3],
      "bool",
    );
    expect(
      values(makeNode("where", [condition, x, makeNode("neg", [x], {}, [2, 3], "float64")], {}, [2, 3], "float64")),
    ).toEqual([1, 2, -3, -4, -5, -6]);
    expect(values(makeNode("cast", [data([0.1, -2.7], [2])], {}, [2], "int32"))).toEqual([0, -2]);
    expect(values(makeNode("cast", [data([0.1], [1])], {}, [1], "float32"))).toEqual([Math.fround(0.1)]);
  });

  it("takes bound values for a node and survives deep graphs", () => {
    const leaf = data([1], [1]);
    let node: Node = leaf;
    for (let i = 0; i < 20_000; i++) node = makeNode("add", [node, leaf], {}, [1], "float64");
    expect(evaluateNodes([node, leaf], { nodes: new Map([[leaf, [2]]]) }).map(({ values: [v] }) => v)).toEqual([
      40_002, 2,
    ]);
  });
});
