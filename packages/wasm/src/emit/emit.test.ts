import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { engine, type WasmImports } from "../engine.ts";
import { ByteWriter } from "./bytes.ts";
import {
  atomic,
  bulk,
  Constant,
  call,
  callEffect,
  type Expression,
  type FunctionBuilder,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  i64,
  i64x2,
  ModuleBuilder,
  shuffle32,
  type ValueType,
  v128,
} from "./index.ts";

type Run = (...args: readonly number[]) => number;

function instantiate(module: ModuleBuilder, imports: WasmImports = {}): Readonly<Record<string, Run>> {
  if (!engine) throw new Error("expected an engine with WebAssembly");
  return new engine.Instance(new engine.Module(module.toBytes()), imports).exports;
}

/** A function of i32 numbers with one result. */
function functionOf(parameters: readonly ValueType[], result: ValueType, build: (f: FunctionBuilder) => void): Run {
  const module = new ModuleBuilder();
  module.export("run", module.function(parameters, [result], build));
  return instantiate(module).run as Run;
}

describe("numbers", () => {
  const written = (write: (to: ByteWriter) => void): number[] => {
    const writer = new ByteWriter();
    write(writer);
    return [...writer.toBytes()];
  };

  it("are LEB128 as the standard's examples", () => {
    expect([0, 127, 128, 624_485, 2 ** 32 - 1].map((value) => written((to) => to.unsigned(value)))).toEqual([
      [0],
      [0x7f],
      [0x80, 1],
      [0xe5, 0x8e, 0x26],
      [0xff, 0xff, 0xff, 0xff, 0x0f],
    ]);
    expect([0, 63, 64, -1, -64, -123_456].map((value) => written((to) => to.signed(value)))).toEqual([
      [0],
      [63],
      [0xc0, 0],
      [0x7f],
      [0x40],
      [0xc0, 0xbb, 0x78],
    ]);
    expect(written((to) => to.signed64(-(2n ** 63n)))).toEqual([...new Array<number>(9).fill(0x80), 0x7f]);
  });

  it("arrive as they were given", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double(), (integer, double) => {
        expect(functionOf([], "i32", (f) => f.return(i32.const(integer)))()).toBe(integer);
        expect(functionOf([], "f64", (f) => f.return(f64.const(double)))()).toBe(double);
        expect(functionOf([], "f32", (f) => f.return(f32.const(double)))()).toBe(Math.fround(double));
      }),
      { numRuns: 200 },
    );
  });

  it("grow the writer", () => {
    const writer = new ByteWriter();
    for (let i = 0; i < 1000; i++) writer.append([i & 255]);
    expect(writer.length).toBe(1000);
    expect(writer.toBytes()[999]).toBe(999 & 255);
  });
});

describe("i32", () => {
  const cases: readonly [keyof typeof i32, (a: number, b: number) => number][] = [
    ["add", (a, b) => (a + b) | 0],
    ["sub", (a, b) => (a - b) | 0],
    ["mul", Math.imul],
    ["and", (a, b) => a & b],
    ["or", (a, b) => a | b],
    ["xor", (a, b) => a ^ b],
    ["shl", (a, b) => a << b],
    ["shrS", (a, b) => a >> b],
    ["shrU", (a, b) => (a >>> b) | 0],
    ["eq", (a, b) => Number(a === b)],
    ["ltS", (a, b) => Number(a < b)],
    ["ltU", (a, b) => Number(a >>> 0 < b >>> 0)],
    ["geS", (a, b) => Number(a >= b)],
    ["leU", (a, b) => Number(a >>> 0 <= b >>> 0)],
  ];
  it.each(cases)("%s", (name, expected) => {
    const op = i32[name] as (a: Expression<"i32">, b: Expression<"i32">) => Expression<"i32">;
    const run = functionOf(["i32", "i32"], "i32", (f) => f.return(op(f.parameter(0, "i32"), f.parameter(1, "i32"))));
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        expect(run(a, b)).toBe(expected(a, b));
      }),
    );
  });

  it("does what is known at once", () => {
    expect(i32.add(i32.mul(6, 7), 0)).toMatchObject({ value: 42 });
    expect(i32.mul(2 ** 30, 8)).toMatchObject({ value: 0 });
    const { parameters } = new ModuleBuilderProbe();
    const [x] = parameters;
    expect(i32.add(x, 0)).toBe(x);
    expect(i32.mul(1, x)).toBe(x);
    expect(i32.mul(x, 0)).toBeInstanceOf(Constant);
  });
});

/** A builder to take locals from. */
class ModuleBuilderProbe {
  readonly parameters: readonly [Expression<"i32">];

  constructor() {
    let parameter: Expression<"i32"> | undefined;
    new ModuleBuilder().function(["i32"], [], (f) => {
      parameter = f.parameter(0, "i32");
    });
    this.parameters = [parameter as Expression<"i32">];
  }
}

describe("control flow", () => {
  it("loops over runs known and unknown", () => {
    const triangle = functionOf(["i32"], "i32", (f) => {
      const n = f.parameter(0, "i32");
      const [i, sum] = [f.local("i32"), f.local("i32")];
      f.for(i, 0, n, 1, () => f.set(sum, i32.add(sum, i)));
      f.return(sum);
    });
    expect([0, 1, 2, 10, -3].map((n) => triangle(n))).toEqual([0, 0, 1, 45, 0]);
    const known = (to: number, step: number) =>
      functionOf([], "i32", (f) => {
        const [i, count] = [f.local("i32"), f.local("i32")];
        f.for(i, 0, to, step, () => f.set(count, i32.add(count, 1)));
        f.return(count);
      })();
    expect([known(0, 1), known(1, 1), known(7, 1), known(7, 3), known(3, 3)]).toEqual([0, 1, 7, 3, 1]);
  });

  it("chooses, leaves blocks, and jumps by a table", () => {
    const run = functionOf(["i32"], "i32", (f) => {
      const x = f.parameter(0, "i32");
      const result = f.local("i32");
      f.block((exit) => {
        f.block((two) => {
          f.block((one) => {
            f.brTable(x, [one, two], exit);
          });
          f.set(result, i32.const(10));
          f.br(exit);
        });
        f.set(result, i32.const(20));
      });
      f.if(
        i32.gtS(x, 5),
        () => f.set(result, i32.const(99)),
        () => f.set(result, i32.add(result, 1)),
      );
      f.return(result);
    });
    expect([0, 1, 2, 6].map((x) => run(x))).toEqual([11, 21, 1, 99]);
  });

  it("keeps what `let` computed", () => {
    const run = functionOf(["i32"], "i32", (f) => {
      const x = f.parameter(0, "i32");
      const before = f.let(i32.add(x, 1));
      f.set(x, i32.const(0));
      f.return(i32.add(before, x));
    });
    expect(run(4)).toBe(5);
  });
});

describe("modules", () => {
  it("call imported, own and shared functions", () => {
    const module = new ModuleBuilder();
    const twice = module.importFunction("env", "twice", { parameters: ["f64"], results: ["f64"] });
    const built: string[] = [];
    const half = () =>
      module.shared("half", ["f64"], ["f64"], (f) => {
        built.push("half");
        f.return(f64.mul(f.parameter(0, "f64"), 0.5));
      });
    const later = module.declare(["f64"], ["f64"]);
    module.export(
      "run",
      module.function(["f64"], ["f64"], (f) => {
        const x = f.let(call("f64", half(), [call("f64", twice, [f.parameter(0, "f64")])]));
        f.return(f64.add(call("f64", half(), [x]), call("f64", later, [x])));
      }),
    );
    expect(() => module.toBytes()).toThrow("declared and not defined");
    module.define(later, (f) => f.return(f64.neg(f.parameter(0, "f64"))));
    const run = instantiate(module, { env: { twice: (x: number) => 2 * x } }).run as Run;
    expect(run(8)).toBe(-4);
    expect(built).toEqual(["half"]);
  });

  it("refuse calls that do not fit", () => {
    const module = new ModuleBuilder();
    const f = module.function(["i32"], ["f64"], (body) => body.return(f64.const(1)));
    expect(() => call("f64", f, [f64.const(1)])).toThrow("takes (i32), got (f64)");
    expect(() => call("i32", f, [i32.const(1)])).toThrow("does not give i32");
    expect(() => callEffect(f, [i32.const(1)])).toThrow("has a result");
    expect(() => module.importFunction("a", "b", { parameters: [], results: [] })).toThrow("before any is declared");
  });
});

describe("memory and vectors", () => {
  const memory = engine && new engine.Memory({ initial: 1, maximum: 2 });
  const floats = new Float32Array((memory as { buffer: ArrayBuffer }).buffer);
  const words = new Int32Array(floats.buffer);
  const doubles = new Float64Array(floats.buffer);
  const effect = (build: (f: FunctionBuilder) => void): void => {
    const module = new ModuleBuilder();
    module.importMemory({ module: "env", name: "memory", initial: 1, maximum: 2, shared: false });
    module.export("run", module.function([], [], build));
    instantiate(module, { env: { memory } }).run?.();
  };

  it("load and store lanes, with offsets", () => {
    floats.set([1, 2, 3, 4, 5, 6, 7, 8]);
    effect((f) => {
      const a = f.let(v128.load(0));
      const b = f.let(v128.load(i32.const(8), 8));
      f.do(v128.store(64, f32x4.mul(a, b)));
      f.do(v128.store(80, shuffle32(a, b, [0, 4, 3, 7])));
      f.do(v128.store64Lane(96, v128.load32Splat(4), 1));
      f.do(v128.store(112, v128.load32Lane(28, v128.load64Zero(0), 3)));
      f.do(f32.store(128, f32x4.extractLane(v128.load(0), 2)));
      f.do(v128.store(144, f32x4.relaxedMadd(a, b, f.constant(f32x4.const([1, 1, 1, 1])))));
    });
    expect([...floats.subarray(16, 20)]).toEqual([5, 12, 21, 32]);
    expect([...floats.subarray(20, 24)]).toEqual([1, 5, 4, 8]);
    expect([...floats.subarray(24, 26)]).toEqual([2, 2]);
    expect([...floats.subarray(28, 32)]).toEqual([1, 2, 0, 8]);
    expect(floats[32]).toBe(3);
    expect([...floats.subarray(36, 40)]).toEqual([6, 13, 22, 33]);
  });

  it("convert, compare and select", () => {
    words.set([1, -2, 3, 2 ** 31 - 1], 0);
    effect((f) => {
      const a = f.let(v128.load(0));
      f.do(v128.store(64, f64x2.convertLowI32x4S(a)));
      f.do(v128.store(80, v128.bitselect(a, i32x4.splat(7), i32x4.ltS(a, f.constant(i32x4.const([2, 2, 2, 2]))))));
      f.do(v128.store(96, i64x2.extmulLowI32x4U(a, a)));
      f.do(v128.store(112, i32x4.truncSatF32x4S(f32x4.splat(3e9))));
      f.do(i64.store(128, i64.const(-(2n ** 40n))));
      f.do(bulk.fill(136, 1, 4));
      f.do(bulk.copy(140, 136, 4));
    });
    expect([...doubles.subarray(8, 10)]).toEqual([1, -2]);
    expect([...words.subarray(20, 24)]).toEqual([1, -2, 7, 7]);
    expect([...new BigUint64Array(floats.buffer, 96, 2)]).toEqual([1n, (2n ** 32n - 2n) ** 2n]);
    expect([...words.subarray(28, 32)]).toEqual(new Array(4).fill(2 ** 31 - 1));
    expect(new BigInt64Array(floats.buffer, 128, 1)[0]).toBe(-(2n ** 40n));
    expect([...words.subarray(34, 36)]).toEqual([0x01010101, 0x01010101]);
  });

  it("change words at once", () => {
    words.set([5, 9], 0);
    effect((f) => {
      f.do(i32.store(64, atomic.i32Add(0, 3)));
      f.do(i32.store(68, atomic.i32CompareExchange(4, 9, 1)));
      f.do(i32.store(72, atomic.i32CompareExchange(4, 9, 2)));
      f.do(atomic.i64Store(80, atomic.i64Load(0)));
    });
    expect([...words.subarray(16, 19)]).toEqual([5, 9, 1]);
    expect([words[0], words[1], words[20], words[21]]).toEqual([8, 1, 8, 1]);
  });
});
