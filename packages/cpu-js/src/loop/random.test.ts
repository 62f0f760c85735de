/** Random loop kernels give what the reference interpreter gives: strides, conditions, stages, reductions, every dtype. */
import {
  allocateHost,
  type Backend,
  type BinaryOp,
  type BufferSpec,
  type ComputeDType,
  type Condition,
  computeDType,
  type DType,
  decode,
  encode,
  type HostArray,
  type Instruction,
  isFloat,
  type Program,
  type ReduceOp,
  referenceBackend,
  type Stage,
  type UnaryOp,
  validateProgram,
} from "@thalweg/core/backend";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuSync } from "../index.ts";

type Random = (below: number) => number;

/** Numbers with few bits, so that sums and products are exact and the order of additions does not show. */
function fill(dtype: DType, size: number, random: Random): HostArray {
  const host = allocateHost(dtype, size);
  for (let i = 0; i < size; i++) {
    const whole = random(17) - 8;
    encode(
      dtype,
      host,
      i,
      dtype === "bool" ? random(2) : dtype === "uint32" ? random(9) : isFloat(dtype) ? whole / 4 : whole,
    );
  }
  if (isFloat(dtype) && size > 0 && random(12) === 0) encode(dtype, host, random(size), Number.NaN);
  return host;
}

const storage: readonly DType[] = ["float32", "float32", "float64", "int32", "uint32", "bool", "bfloat16", "float16"];
const unaries: Record<"float" | "int" | "bool", readonly UnaryOp[]> = {
  float: [
    "neg",
    "abs",
    "sign",
    "exp",
    "sqrt",
    "rsqrt",
    "tanh",
    "sigmoid",
    "softplus",
    "erf",
    "relu",
    "floor",
    "ceil",
    "round",
    "trunc",
    "isNaN",
    "reciprocal",
    "expm1",
  ],
  int: ["neg", "abs", "sign", "relu", "not", "isNaN"],
  bool: ["not"],
};
const binaries: Record<"float" | "int" | "bool", readonly BinaryOp[]> = {
  float: ["add", "sub", "mul", "div", "maximum", "minimum", "mod", "equal", "notEqual", "less", "lessEqual"],
  int: ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "mod", "and", "or", "xor", "mulHigh", "less", "equal"],
  bool: ["and", "or", "xor", "add", "mul", "maximum", "minimum", "equal", "less"],
};
const comparisons: ReadonlySet<string> = new Set(["equal", "notEqual", "less", "lessEqual", "isNaN"]);
const kindOf = (dtype: ComputeDType) =>
  dtype === "bool" ? "bool" : dtype === "int32" || dtype === "uint32" ? "int" : "float";

function randomProgram(random: Random): Program {
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  const sizes = (most: number, largest: number) =>
    Array.from({ length: random(most + 1) }, () => (random(40) === 0 ? 0 : 1 + random(largest)));
  const outer = sizes(3, 9);
  const inner = random(3) === 0 ? [] : sizes(2, random(2) === 0 ? 4 : 20);
  const space = [...outer, ...inner];
  const buffers: BufferSpec[] = [];
  const slots: number[] = [];
  let next = 0;
  let earlier: readonly Instruction[] = [];
  const visible: { id: number; dtype: ComputeDType }[] = [];

  const addSlot = (dtype: DType, size: number, kind: BufferSpec["kind"]): number => {
    buffers.push({ dtype, size, kind });
    slots.push(buffers.length - 1);
    return slots.length - 1;
  };

  const body = (over: "outer" | "inner"): Instruction[] => {
    const out: Instruction[] = [];
    const local = [...visible];
    const emit = (instruction: {
      readonly op: string;
      readonly dtype?: ComputeDType;
      readonly [field: string]: unknown;
    }): number => {
      const id = next++;
      out.push({ id, ...instruction } as unknown as Instruction);
      if ("dtype" in instruction && instruction.op !== "reduce")
        local.push({ id, dtype: instruction.dtype as ComputeDType });
      return id;
    };
    const reach = over === "outer" ? outer.length : space.length;
    const strides = () => space.map((_, i) => (i >= reach ? 0 : pick([0, 1, 1, 2, -1, 3, 10])));
    const condition = (): Condition => {
      const size = (i: number) => space[i] as number;
      const steps = space.map((_, i) => (i < reach && random(2) === 0 ? pick([1, 1, -1, 2]) : 0));
      const most = steps.reduce((sum, stride, i) => sum + Math.abs(stride) * size(i), 0);
      const lo = random(most + 2) - Math.floor(most / 2);
      return { affine: { offset: random(5) - 2, strides: steps }, lo, hi: lo + 1 + random(most + 2) };
    };
    const load = () => {
      const dtype = pick(storage);
      const at = random(3) === 0 ? contiguous() : strides();
      let [min, max] = [0, 0];
      at.forEach((stride, i) => {
        const last = Math.max(0, (space[i] as number) - 1) * stride;
        min += Math.min(0, last);
        max += Math.max(0, last);
      });
      const conditions = random(3) === 0 ? { conditions: Array.from({ length: 1 + random(2) }, condition) } : {};
      const slot = addSlot(dtype, max - min + 1, "input");
      emit({ op: "load", dtype: computeDType(dtype), slot, at: { offset: -min, strides: at }, ...conditions });
    };
    /** Row-major, or with the axes in another order. */
    const contiguous = (): number[] => {
      const result = space.map(() => 0);
      const axes = Array.from({ length: reach }, (_, i) => i);
      if (random(3) === 0) axes.sort(() => random(3) - 1);
      let stride = 1;
      for (const axis of axes.reverse()) {
        result[axis] = stride;
        stride *= space[axis] as number;
      }
      return result;
    };
    load();
    if (over === "inner" && earlier.length > 0 && random(2) === 0) {
      // The same values once more, which is what scratch rows are for.
      const renamed = new Map<number, number>();
      for (const { id, ...instruction } of earlier) {
        if (instruction.op === "store" || instruction.op === "reduce") continue;
        const args = "args" in instruction ? { args: instruction.args.map((arg) => renamed.get(arg) ?? arg) } : {};
        renamed.set(id, emit({ ...instruction, ...args }));
      }
    }
    for (let i = 0; i < 2 + random(8); i++) {
      const a = pick(local);
      const sort = kindOf(a.dtype);
      const same = local.filter(({ dtype }) => dtype === a.dtype);
      switch (random(8)) {
        case 0:
          load();
          break;
        case 1: {
          const to = pick(["float32", "float64", "int32", "uint32", "bool"] as const);
          emit({ op: "cast", dtype: to, args: [a.id] });
          break;
        }
        case 2: {
          const op = pick(unaries[sort]);
          emit({ op, dtype: comparisons.has(op) ? "bool" : a.dtype, args: [a.id] });
          break;
        }
        case 3: {
          const chosen = random(3);
          if (chosen === 0) emit({ op: "index", dtype: "int32", affine: { offset: random(5), strides: strides() } });
          else if (chosen === 1) emit({ op: "inside", dtype: "bool", conditions: [condition()] });
          else emit({ op: "constant", dtype: a.dtype, value: sort === "bool" ? 1 : 1 + random(3) });
          break;
        }
        case 4: {
          const test = local.find(({ dtype }) => dtype === "bool");
          if (test) emit({ op: "where", dtype: a.dtype, args: [test.id, a.id, pick(same).id] });
          else if (sort === "float")
            emit({ op: "roundTo", dtype: a.dtype, to: pick(["float32", "bfloat16", "float16"]), args: [a.id] });
          break;
        }
        default: {
          const op = pick(binaries[sort]);
          emit({ op, dtype: comparisons.has(op) ? "bool" : a.dtype, args: [a.id, pick(same).id] });
        }
      }
    }
    const mine = local.slice(visible.length);
    if (over === "inner" && random(4) > 0) {
      const { id, dtype } = pick(mine);
      const fns: ReduceOp[] =
        dtype === "bool" ? ["max", "min", "argMax"] : ["sum", "max", "min", "argMax", "argMin", "prod"];
      const fn = pick(fns);
      const reduced = fn === "argMax" || fn === "argMin" ? "int32" : dtype;
      const result = emit({ op: "reduce", dtype: reduced, fn, value: id });
      visible.push({ id: result, dtype: reduced });
    }
    if (over === "outer" || random(3) === 0) {
      const { id, dtype } = pick(local);
      const slot = addSlot(
        dtype,
        space.slice(0, reach).reduce((x, y) => x * y, 1),
        "output",
      );
      emit({ op: "store", slot, at: { offset: 0, strides: contiguous() }, value: id });
    }
    if (over === "outer") visible.push(...mine);
    else earlier = out;
    return out;
  };

  const stages: Stage[] = [];
  if (inner.length > 0) for (let i = 0; i < 1 + random(3); i++) stages.push({ over: "inner", body: body("inner") });
  stages.push({ over: "outer", body: body("outer") });
  const segments = [{ size: outer.reduce((x, y) => x * y, 1), buffers: slots }];
  return {
    buffers,
    uniforms: [],
    kernels: [{ kind: "loop", label: "random", outer, inner, stages, segments }],
    arenaBytes: 0,
  };
}

function outputs(backend: Backend, program: Program, data: readonly HostArray[]): number[][] {
  const handles = program.buffers.map(({ dtype, size }, i) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, data[i] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, []);
  const read = handles.map((handle) => backend.readSync?.(handle) as HostArray);
  for (const handle of handles) backend.free(handle);
  return read.map((host, i) => Array.from(host, (_, k) => decode(program.buffers[i]?.dtype as DType, host, k)));
}

const tolerances: Record<DType, number> = {
  float32: 1e-6,
  float64: 1e-12,
  int32: 0,
  uint32: 0,
  bool: 0,
  bfloat16: 2 ** -7,
  float16: 2 ** -10,
};

test("random loop kernels agree with the interpreter", { timeout: 120_000 }, () => {
  const oracle = referenceBackend({ rounding: true });
  const cpu = cpuSync();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      let state = seed;
      const random: Random = (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        return Math.floor(((state >>> 8) / 2 ** 24) * below);
      };
      const program = randomProgram(random);
      validateProgram(program);
      const data = program.buffers.map(({ dtype, size }) => fill(dtype, size, random));
      const expected = outputs(oracle, program, data);
      const got = outputs(cpu, program, data);
      program.buffers.forEach(({ dtype, kind }, i) => {
        if (kind !== "output") return;
        (expected[i] as number[]).forEach((want, k) => {
          const have = got[i]?.[k] as number;
          const near =
            Object.is(want, have) || want === have || Math.abs(want - have) <= tolerances[dtype] * Math.abs(want);
          if (!near) throw new Error(`b${i}[${k}] (${dtype}): got ${have}, expected ${want}`);
        });
      });
    }),
    { numRuns: 1000, seed: 20240607 },
  );
  expect(cpu.memory().buffers).toBe(0);
});
