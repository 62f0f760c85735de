import {
  allocateHost,
  type DType,
  dtypes,
  encode,
  type HostArray,
  type Instruction,
  type Program,
  referenceBackend,
} from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { TestIndexError } from "../testKernel.ts";
import { writeBody } from "./index.ts";
import { bodyKernel, runBodies, type TestBody } from "./testBodies.ts";

type Draft = Instruction extends infer I ? (I extends Instruction ? Omit<I, "id"> : never) : never;

/** Instructions numbered by where they stand. */
const numbered = (...instructions: readonly Draft[]): Instruction[] =>
  instructions.map((instruction, id) => ({ id, ...instruction }) as Instruction);

const filled = (dtype: DType, size: number, value: (i: number) => number): { dtype: DType; data: HostArray } => {
  const data = allocateHost(dtype, size);
  for (let i = 0; i < size; i++) encode(dtype, data, i, value(i));
  return { dtype, data };
};
const numbers = (dtype: DType, size: number) =>
  filled(dtype, size, (i) => (dtype === "bool" ? (i >> 1) % 2 : (i % 97) + 1));
const zeros = (dtype: DType, size: number) => filled(dtype, size, () => 0);

/** What the reference interpreter leaves in the slots. */
function reference(
  { body, sizes, slots }: TestBody,
  uniforms: Program["uniforms"],
  values: readonly number[],
): HostArray[] {
  const backend = referenceBackend();
  const program: Program = {
    buffers: slots.map(({ dtype, data }) => ({ dtype, size: data.length, kind: "parameter" })),
    uniforms,
    kernels: [
      {
        kind: "loop",
        label: "test",
        outer: sizes,
        inner: [],
        stages: [{ over: "outer", body }],
        segments: [{ size: sizes.reduce((a, b) => a * b, 1), buffers: [...slots.keys()] }],
      },
    ],
    arenaBytes: 0,
  };
  const handles = slots.map(({ dtype, data }) => {
    const handle = backend.allocate(dtype, data.length);
    backend.write(handle, data);
    return handle;
  });
  backend.run(backend.compile(program), handles, values);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

function expectSame(
  tests: readonly TestBody[],
  uniforms: Program["uniforms"] = [],
  values: readonly number[] = [],
): void {
  const bytes = new DataView(new ArrayBuffer(8 * Math.max(1, uniforms.length)));
  uniforms.forEach(({ dtype }, i) => {
    const value = values[i] as number;
    if (dtype === "float32") bytes.setFloat32(8 * i, value, true);
    else if (dtype === "float64") bytes.setFloat64(8 * i, value, true);
    else if (dtype === "uint32") bytes.setUint32(8 * i, value, true);
    else bytes.setInt32(8 * i, value, true);
  });
  const results = runBodies(tests, new Uint8Array(bytes.buffer));
  for (const [i, test] of tests.entries()) {
    expect(results[i], bodyKernel(test).source).toEqual(reference(test, uniforms, values));
  }
}

/** The test with 1, 2, 4 and 8 lanes, and 32-bit and 64-bit indices. */
const everyWidth = (test: TestBody): TestBody[] => {
  const last = test.sizes.at(-1) as number;
  return [1, 2, 4, 8].flatMap((width) =>
    (["int", "long long"] as const).map((index) => ({ ...test, width, index, counted: last % width !== 0 })),
  );
};

const at = (offset: number, ...strides: number[]) => ({ offset, strides });
const load = (dtype: DType, slot: number, where: ReturnType<typeof at>, more: object = {}): Draft =>
  ({ op: "load", dtype: dtypes[dtype].compute, slot, at: where, ...more }) as Draft;
const store = (slot: number, where: ReturnType<typeof at>, value: number, more: object = {}): Draft =>
  ({ op: "store", slot, at: where, value, ...more }) as Draft;
const source = (test: TestBody): string => bodyKernel(test).source;

describe("accesses", () => {
  it("moves every dtype, with and without a tail", () => {
    const copies = Object.keys(dtypes).flatMap((name) => {
      const dtype = name as DType;
      return [40, 37].flatMap((size) =>
        everyWidth({
          body: numbered(load(dtype, 0, at(0, 1)), store(1, at(0, 1), 0)),
          sizes: [size],
          slots: [numbers(dtype, size), zeros(dtype, size)],
        }).filter(({ index }) => index === "int"),
      );
    });
    expectSame(copies);
  });

  it("uses vectors where offset and the other strides allow", () => {
    const copy = (from: ReturnType<typeof at>, to: ReturnType<typeof at>, dtype: DType = "float32"): string =>
      source({
        body: numbered(load(dtype, 0, from), store(1, to, 0)),
        sizes: [3, 16],
        slots: [numbers(dtype, 400), zeros(dtype, 400)],
        width: 4,
      });
    expect(copy(at(4, 16, 1), at(0, 20, 1))).toContain("loadVectorReadOnly<Float32, 4>(p0 + (vi0 + 4))");
    expect(copy(at(4, 16, 1), at(0, 20, 1))).toContain("storeVector<Float32, 4>");
    expect(copy(at(1, 16, 1), at(0, 17, 1))).not.toContain("Vector");
    // Two doubles are 16 bytes already.
    expect(copy(at(2, 18, 1), at(0, 22, 1), "float64")).toContain("loadVectorReadOnly<Float64, 4>");
    // Pairs are aligned where fours are not.
    expect(copy(at(2, 16, 1), at(0, 16, 1), "bfloat16")).toContain("loadVectorReadOnly<BFloat16, 4, 2>");
    expect(copy(at(2, 16, 1), at(0, 16, 1), "bfloat16")).toContain("storeVector<BFloat16, 4>");
    expect(copy(at(0, 20, 1), at(0, 18, 1))).toContain("storeVector<Float32, 4, 2>");
  });

  it("reads what is the same in all lanes once", () => {
    const test: TestBody = {
      body: numbered(
        load("float32", 0, at(0, 1, 0)),
        { op: "exp", dtype: "float32", args: [0] },
        load("float32", 1, at(0, 8, 1)),
        { op: "mul", dtype: "float32", args: [1, 2] },
        store(2, at(0, 8, 1), 3),
      ),
      sizes: [4, 8],
      slots: [zeros("float32", 4), numbers("float32", 32), zeros("float32", 32)],
      width: 4,
    };
    expect(source(test).match(/expf/g)).toHaveLength(1);
    expectSame(everyWidth(test));
  });

  it("steps by any stride, back, and across", () => {
    const tests = [
      at(0, 1, 3),
      at(100, -30, -2),
      at(59, 0, -1),
      at(7, 5, 2),
      at(5, 20, 1),
      at(6, 20, 1),
      at(3, 0, 0),
    ].flatMap((from) =>
      [at(0, 20, 1), at(1, 20, 1), at(0, 1, 3), at(119, -40, -2)].flatMap((to) =>
        everyWidth({
          body: numbered(load("int32", 0, from), store(1, to, 0)),
          sizes: [3, 20],
          slots: [numbers("int32", 140), zeros("int32", 140)],
        }).filter(({ width }) => width !== 2),
      ),
    );
    expectSame(tests);
  });

  it("keeps the order of what is read and written in one buffer", () => {
    expectSame(
      everyWidth({
        body: numbered(
          load("float32", 0, at(0, 1)),
          load("float32", 1, at(0, 1)),
          { op: "add", dtype: "float32", args: [0, 1] },
          store(0, at(0, 1), 2),
          load("float32", 0, at(0, 1)),
          { op: "mul", dtype: "float32", args: [4, 1] },
          store(1, at(0, 1), 5),
          load("float32", 0, at(0, 1)),
          { op: "sub", dtype: "float32", args: [7, 2] },
          store(2, at(0, 1), 8),
        ),
        sizes: [21],
        slots: [numbers("float32", 21), numbers("float32", 21), zeros("float32", 21)],
      }),
    );
  });
});

describe("conditions", () => {
  const condition = (affine: ReturnType<typeof at>, lo: number, hi: number) => ({ affine, lo, hi });

  it("guard loads per lane, for all lanes, and for groups of lanes", () => {
    const ranges = [
      [condition(at(0, 0, 1), 3, 17)],
      [condition(at(-5, 0, 1), 0, 11)],
      [condition(at(0, 0, 1), 8, 16)],
      [condition(at(19, 0, -1), 4, 12)],
      [condition(at(0, 1, 0), 1, 2)],
      [condition(at(0, 1, 0), 1, 3), condition(at(-8, 4, 1), 0, 12)],
      [condition(at(0, 0, 2), 8, 32), condition(at(3, 0, 1), 3, 1000)],
      [condition(at(0, 0, 1), 5, 5)],
      [condition(at(4, 0, 0), 4, 5)],
      [condition(at(4, 0, 0), 5, 9)],
      [condition(at(0, 1, 0), -(2 ** 40), 2 ** 40), condition(at(0, 0, 1), 2, 2 ** 33)],
    ];
    const tests = ranges.flatMap((conditions) =>
      [at(0, 20, 1), at(2, 20, 1), at(4, 1, 3)].flatMap((from) =>
        everyWidth({
          body: numbered(
            load("float32", 0, from, { conditions }),
            store(1, at(0, 20, 1), 0),
            { op: "inside", dtype: "bool", conditions },
            store(2, at(0, 20, 1), 2),
          ),
          sizes: [3, 20],
          slots: [numbers("float32", 70), zeros("float32", 60), zeros("bool", 60)],
        }).filter(({ width, index }) => width !== 2 && (index === "int" || width === 4)),
      ),
    );
    expectSame(tests);
  });

  it("touch no memory where they fail", () => {
    // Addresses far outside.
    expectSame(
      everyWidth({
        body: numbered(
          load("float32", 0, at(-1_000_000, 125_000), { conditions: [condition(at(0, 1), 8, 9)] }),
          store(1, at(0, 1), 0),
        ),
        sizes: [16],
        slots: [numbers("float32", 1), zeros("float32", 16)],
      }),
    );
  });

  it("keep a load whole where its lanes agree", () => {
    const test: TestBody = {
      body: numbered(
        load("float32", 0, at(-8, 16, 1), { conditions: [condition(at(0, 0, 1), 8, 24)] }),
        store(1, at(0, 32, 1), 0),
      ),
      sizes: [2, 32],
      slots: [numbers("float32", 32), zeros("float32", 64)],
      width: 4,
    };
    expect(source(test)).toContain("loadVectorReadOnly<Float32, 4>");
    expectSame([test, { ...test, width: 8 }]);
  });
});

describe("dynamic indices", () => {
  const indices = filled("int32", 20, (i) => (i * 7) % 13);
  const term = (value: number, stride: number, size: number) => ({ dynamic: [{ value, stride, size }] });

  it("gather per lane and per row", () => {
    const perLane: TestBody = {
      body: numbered(
        load("int32", 0, at(0, 0, 1)),
        load("float32", 1, { ...at(1, 13, 0), ...term(0, 1, 13) }),
        store(2, at(0, 20, 1), 1),
        { op: "index", dtype: "int32", affine: { ...at(3, 1, 0), ...term(0, 5, 13) } } as Draft,
        store(3, at(0, 20, 1), 3),
      ),
      sizes: [3, 20],
      slots: [indices, numbers("float32", 40), zeros("float32", 60), zeros("int32", 60)],
    };
    const perRow: TestBody = {
      body: numbered(
        load("int32", 0, at(1, 2, 0)),
        load("float32", 1, { ...at(0, 0, 1), ...term(0, 8, 13) }),
        store(2, at(0, 12, 1), 1),
      ),
      sizes: [5, 12],
      slots: [indices, numbers("float32", 120), zeros("float32", 60)],
    };
    expect(source({ ...perRow, width: 4 })).toContain("loadVectorReadOnly<Float32, 4>");
    const unsigned: TestBody = {
      ...perRow,
      slots: [filled("uint32", 20, (i) => i % 13), ...perRow.slots.slice(1)],
      body: perRow.body.map((instruction, i) =>
        i === 0 ? { ...instruction, dtype: "uint32" } : instruction,
      ) as Instruction[],
    };
    expectSame([...everyWidth(perLane), ...everyWidth(perRow), ...everyWidth(unsigned)]);
  });

  it("scatter", () => {
    // Each row to a place of its own.
    const order = filled("int32", 5, (i) => (i * 3) % 5);
    expectSame(
      everyWidth({
        body: numbered(
          load("int32", 0, at(0, 1, 0)),
          load("float32", 1, at(0, 7, 1)),
          store(2, { ...at(0, 0, 1), ...term(0, 7, 5) }, 1),
        ),
        sizes: [5, 7],
        slots: [order, numbers("float32", 35), zeros("float32", 35)],
      }),
    );
  });

  it("decide in conditions without a check", () => {
    const wild = filled("int32", 20, (i) => (i % 3 === 0 ? 2_000_000_000 - i : i));
    expectSame(
      everyWidth({
        body: numbered(
          load("int32", 0, at(0, 1)),
          {
            op: "load",
            dtype: "float32",
            slot: 1,
            at: { ...at(0, 0), ...term(0, 1, 20) },
            conditions: [{ affine: { ...at(0, 0), ...term(0, 2, 20) }, lo: 0, hi: 40 }],
          } as Draft,
          store(2, at(0, 1), 1),
        ),
        sizes: [20],
        slots: [wild, numbers("float32", 20), zeros("float32", 20)],
      }),
    );
  });

  it("are reported when out of range, in lanes that exist", () => {
    const gather = (values: (i: number) => number, size: number, entries = 13): TestBody => ({
      body: numbered(
        load("int32", 0, at(0, 1)),
        load("float32", 1, { ...at(0, 0), ...term(0, 1, entries) }),
        store(2, at(0, 1), 1),
      ),
      sizes: [size],
      slots: [filled("int32", 20, values), numbers("float32", entries), zeros("float32", 20)],
    });
    const wide = { width: 4, counted: true } as const;
    const cases = [
      [-1, {}],
      [13, wide],
      [2 ** 31 - 1, { ...wide, index: "long long" }],
    ] as const;
    for (const [wrong, form] of cases) {
      const test = { ...gather((i) => (i === 6 ? wrong : i % 13), 18), ...form };
      expect(() => runBodies([test])).toThrow(new TestIndexError(`index ${wrong}, size 13`));
    }
    // Behind the end nothing is read, and nothing is checked.
    const behind = everyWidth(gather((i) => (i >= 18 ? 99 : i % 13), 18));
    expect(() => runBodies(behind)).not.toThrow();
    // Nothing to choose from.
    expect(() => runBodies([{ ...gather(() => 0, 18, 0), width: 2 }])).toThrow(new TestIndexError("index 0, size 0"));
  });
});

describe("values", () => {
  it("reads uniforms of every dtype", () => {
    const names = ["float32", "float64", "int32", "uint32", "bool"] as const;
    const uniforms = names.map((dtype) => ({ name: dtype, dtype }));
    const body = numbered(
      ...names.map((dtype, uniform) => ({ op: "uniform", dtype, uniform }) as const),
      ...names.map((_, i) => store(i, at(0, 1), i)),
    );
    const slots = names.map((dtype) => zeros(dtype, 10));
    expectSame(
      everyWidth({ body, sizes: [10], slots }),
      uniforms,
      [0.1, 0.1, -5, 4_000_000_000, 1].map((x, i) => (i === 0 ? Math.fround(x) : x)),
    );
  });

  it("gives numbers of elements", () => {
    const index = (affine: ReturnType<typeof at>): Draft => ({ op: "index", dtype: "int32", affine });
    expectSame(
      everyWidth({
        body: numbered(
          index(at(0, 12, 1)),
          index(at(5, 1, 0)),
          index(at(-3, -2, -7)),
          ...[0, 1, 2].map((i) => store(i, at(0, 12, 1), i)),
        ),
        sizes: [3, 12],
        slots: [0, 1, 2].map(() => zeros("int32", 36)),
      }),
    );
  });

  it("shares blocks of random words among neighbours", () => {
    const words = [11, 22, 33, 44].map((value) => ({ op: "constant", dtype: "uint32", value }) as const);
    const random = (affine: ReturnType<typeof at>): TestBody => ({
      body: numbered(
        ...words,
        { op: "index", dtype: "int32", affine },
        { op: "philox", dtype: "uint32", args: [4, 0, 1, 2, 3] },
        store(0, at(0, 16, 1), 5),
      ),
      sizes: [3, 16],
      slots: [zeros("uint32", 48)],
    });
    const affines = [at(0, 16, 1), at(4, 20, 1), at(2, 16, 1), at(0, 18, 1), at(0, 1, 3), at(7, 1, 0), at(50, 0, -1)];
    expectSame(affines.flatMap((affine) => everyWidth(random(affine))));
    const blocks = (width: number, affine = at(4, 20, 1)): number =>
      source({ ...random(affine), width }).match(/philox/g)?.length ?? 0;
    expect([1, 2, 4, 8].map((width) => blocks(width))).toEqual([1, 1, 1, 2]);
    expect(blocks(4, at(2, 16, 1))).toBe(4);
  });

  it("computes what does not vary once, and chooses without branches", () => {
    const text = writeBody(
      numbered(
        { op: "uniform", dtype: "float32", uniform: 2 },
        { op: "constant", dtype: "float32", value: 0.5 },
        { op: "mul", dtype: "float32", args: [0, 1] },
        load("float32", 0, at(0, 1)),
        { op: "less", dtype: "bool", args: [3, 2] },
        { op: "where", dtype: "float32", args: [4, 2, 3] },
        store(1, at(0, 1), 5),
      ),
      {
        variables: ["x"],
        vector: { variable: 0, width: 2 },
        slots: [
          { pointer: "a", dtype: "float32", readOnly: true },
          { pointer: "b", dtype: "bfloat16", readOnly: false },
        ],
        known: new Map(),
        index: "int",
        count: "n",
      },
      "v",
    );
    expect(text).toBe(`const float v0 = uniformOf<float>(uniforms, 2);
const float v2 = v0 * 0.5f;
const Vec<float, 2> v3 = loadVectorReadOnly<Float32, 2>(a + (x), n);
const bool v4_0 = v3.v[0] < v2;
const bool v4_1 = v3.v[1] < v2;
const float v5_0 = v4_0 ? v2 : v3.v[0];
const float v5_1 = v4_1 ? v2 : v3.v[1];
storeVector<BFloat16, 2>(b + (x), {{v5_0, v5_1}}, n);`);
  });

  it("takes values known before, accumulators, and hands reductions over", () => {
    const known = new Map([
      [0, ["row"]],
      [1, ["left", "right"]],
    ]);
    const body: Instruction[] = [
      { id: 2, op: "accumulator", dtype: "float32" },
      { id: 3, op: "add", dtype: "float32", args: [1, 2] },
      { id: 4, op: "reduce", dtype: "float32", fn: "sum", value: 3 },
      { id: 5, op: "reduce", dtype: "float32", fn: "max", value: 0 },
    ];
    const text = writeBody(
      body,
      {
        variables: ["x"],
        vector: { variable: 0, width: 2 },
        slots: [],
        known,
        index: "int",
        accumulator: (lane) => `sum[${lane}]`,
        reduce: ({ fn }, lanes) => `${fn}(${lanes.join(", ")});`,
      },
      "e",
    );
    expect(text).toBe(`const float e2_0 = sum[0];
const float e2_1 = sum[1];
const float e3_0 = left + e2_0;
const float e3_1 = right + e2_1;
sum(e3_0, e3_1);
max(row, row);`);
    expect([...known.keys()]).toEqual([0, 1, 2, 3]);
  });
});
