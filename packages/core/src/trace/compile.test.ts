import { beforeEach, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/interpreter.ts";
import * as core from "../index.ts";
import {
  add,
  bernoulli,
  compile,
  explain,
  type Generator,
  grad,
  guard,
  LifetimeError,
  manualSeed,
  matmul,
  mul,
  onRun,
  Parameter,
  permutation,
  rand,
  randn,
  relu,
  reshape,
  slice,
  square,
  sub,
  sum,
  Tensor,
  ThalwegError,
  tensor,
  uniformScalar,
  useBackend,
} from "../index.ts";

beforeEach(() => {
  useBackend(referenceBackend());
  manualSeed(1);
});

const numbers = (x: Tensor): number[] => [...x.dataSync()];
const parameter = (values: number[], name = "p"): Parameter => new Parameter(tensor(values), { name });

describe("signatures", () => {
  it("trace once per shape and dtype, whatever the values", () => {
    let calls = 0;
    const double = compile((x: Tensor) => {
      calls++;
      return mul(x, 2);
    });
    expect(numbers(double(tensor([1, 2])))).toEqual([2, 4]);
    expect(numbers(double(tensor([3, 4])))).toEqual([6, 8]);
    expect([double.traces, calls]).toEqual([1, 1]);
    expect(numbers(double(tensor([1, 2, 3])))).toEqual([2, 4, 6]);
    expect(numbers(double(tensor(Int32Array.of(5, 6))))).toEqual([10, 12]);
    expect(double.traces).toBe(3);
    double(tensor([7, 8]));
    expect([double.traces, calls]).toEqual([3, 3]);
  });

  it("tell [2, 3] from [3, 2] and one list from another", () => {
    const flat = compile((xs: Tensor[]) => xs.map((x) => reshape(x, [-1])));
    const six = Float64Array.of(1, 2, 3, 4, 5, 6);
    const make = (...shapes: number[][]) =>
      shapes.map((shape) =>
        tensor(
          six.slice(
            0,
            shape.reduce((a, b) => a * b),
          ),
          { shape },
        ),
      );
    expect(flat(make([2, 3])).map(numbers)).toEqual([[...six]]);
    expect(flat(make([3, 2])).map(numbers)).toEqual([[...six]]);
    expect(flat(make([2], [3])).map(numbers)).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
    expect(flat(make([3], [2])).map(numbers)).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
    expect(flat.traces).toBe(4);
  });

  it("take everything that is not a tensor by value", () => {
    const power = compile((x: Tensor, { times, flip }: { times: number; flip?: boolean }) =>
      mul(x, flip ? -times : times),
    );
    const x = tensor([1, 2]);
    expect(numbers(power(x, { times: 2 }))).toEqual([2, 4]);
    expect(numbers(power(x, { times: 3 }))).toEqual([3, 6]);
    expect(numbers(power(x, { times: 3, flip: true }))).toEqual([-3, -6]);
    expect(numbers(power(x, { times: 2 }))).toEqual([2, 4]);
    expect(power.traces).toBe(3);
  });

  it("tell numbers apart that JSON does not", () => {
    const scale = compile((x: Tensor, factor: number | null) => mul(x, factor ?? 7));
    const x = tensor([1]);
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null, 0, -0];
    expect(values.map((value) => scale(x, value).itemSync())).toEqual([Number.NaN, Infinity, -Infinity, 7, 0, -0]);
  });

  it("tell functions with the same text apart", () => {
    const apply = compile((x: Tensor, fn: (x: Tensor) => Tensor) => fn(x));
    const times = (n: number) => (x: Tensor) => mul(x, n);
    const x = tensor([1, 2]);
    expect(numbers(apply(x, times(2)))).toEqual([2, 4]);
    expect(numbers(apply(x, times(3)))).toEqual([3, 6]);
  });

  it("look into lists and records", () => {
    const scale = compile((xs: Tensor[], by: number) => mul(xs[0] as Tensor, by));
    const xs = [tensor([1]), tensor([2])];
    expect([scale(xs, 3), scale(xs, 4)].map(numbers)).toEqual([[3], [4]]);
    const chosen = compile(({ a, b }: { a?: Tensor; b?: Tensor }) => mul((a ?? b) as Tensor, a ? 1 : -1));
    expect([chosen({ a: tensor([1]) }), chosen({ b: tensor([1]) })].map(numbers)).toEqual([[1], [-1]]);
    const bytes = compile((x: Tensor, by: Float32Array) => mul(x, by));
    const array = Float32Array.of(1, 2);
    expect(numbers(bytes(tensor([1, 1]), array))).toEqual([1, 2]);
    array[0] = 5;
    expect(numbers(bytes(tensor([1, 1]), array))).toEqual([5, 2]);
  });

  it("tell parameters apart by identity", () => {
    const double = compile((p: Parameter) => mul(p, 2));
    const [a, b] = [parameter([1, 2], "a"), parameter([5, 6], "b")];
    expect(numbers(double(a))).toEqual([2, 4]);
    expect(numbers(double(b))).toEqual([10, 12]);
    expect(numbers(double(a))).toEqual([2, 4]);
  });

  it("are the backend's too", () => {
    const double = compile((x: Tensor) => mul(x, 2));
    const x = tensor([1, 2]);
    expect(numbers(double(x))).toEqual([2, 4]);
    useBackend(referenceBackend({ kernels: ["loop"] }));
    expect(numbers(double(x))).toEqual([2, 4]);
    expect(double.traces).toBe(2);
  });
});

describe("results", () => {
  it("keep the structure the function gave them", () => {
    const fn = compile((x: Tensor) => ({ sum: sum(x), parts: [x, neg(x)], note: "as it is", none: null }));
    const neg = (x: Tensor) => mul(x, -1);
    for (const values of [
      [1, 2],
      [3, 4],
    ]) {
      const { sum: total, parts, note, none } = fn(tensor(values));
      expect(total.itemSync()).toBe((values[0] as number) + (values[1] as number));
      expect(parts.map(numbers)).toEqual([values, values.map((v) => -v)]);
      expect([note, none]).toEqual(["as it is", null]);
    }
  });

  it("of earlier calls stay as they were", () => {
    const p = parameter([1, 2]);
    const step = compile((x: Tensor) => {
      p.assign(add(p, x));
      return [p, mul(p, 10)];
    });
    const first = step(tensor([1, 1]));
    const second = step(tensor([2, 2]));
    expect(first.map(numbers)).toEqual([
      [2, 3],
      [20, 30],
    ]);
    expect(second.map(numbers)).toEqual([
      [4, 5],
      [40, 50],
    ]);
    expect(numbers(p)).toEqual([4, 5]);
  });

  it("may be an argument, a constant, the same tensor twice, or empty", () => {
    const fn = compile((x: Tensor) => {
      const y = add(x, 1);
      return [x, tensor([7]), y, y, slice(x, { axis: 0, end: 0 })];
    });
    expect(fn(tensor([1, 2])).map(numbers)).toEqual([[1, 2], [7], [2, 3], [2, 3], []]);
    expect(fn(tensor([5, 6])).map(numbers)).toEqual([[5, 6], [7], [6, 7], [6, 7], []]);
  });
});

describe("updates", () => {
  it("swap", () => {
    const [a, b] = [parameter([1, 2], "a"), parameter([3, 4], "b")];
    const swap = compile(() => {
      const before = new Tensor(a.node);
      a.assign(b);
      b.assign(before);
    });
    swap();
    expect([numbers(a), numbers(b)]).toEqual([
      [3, 4],
      [1, 2],
    ]);
    swap();
    expect([numbers(a), numbers(b)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("rotate through three", () => {
    const [a, b, c] = [parameter([1], "a"), parameter([2], "b"), parameter([3], "c")];
    const rotate = compile(() => {
      const [x, y, z] = [a, b, c].map((p) => new Tensor(p.node)) as [Tensor, Tensor, Tensor];
      a.assign(y);
      b.assign(z);
      c.assign(x);
      return add(add(x, mul(y, 10)), mul(z, 100));
    });
    expect(numbers(rotate())).toEqual([321]);
    expect([a, b, c].map(numbers)).toEqual([[2], [3], [1]]);
    expect(numbers(rotate())).toEqual([132]);
  });

  it("leave the old value to whoever read it before", () => {
    const p = parameter([1, 2, 3, 4]);
    const step = compile(() => {
      const before = mul(p, 1);
      const turned = reshape(new Tensor(p.node), [2, 2]).transpose();
      p.assign(mul(p, 2));
      return [before, turned, new Tensor(p.node), matmul(turned, reshape(p, [2, 2]))];
    });
    expect(step().map(numbers)).toEqual([
      [1, 2, 3, 4],
      [1, 3, 2, 4],
      [2, 4, 6, 8],
      [20, 28, 28, 40],
    ]);
    expect(step().map(numbers)[0]).toEqual([2, 4, 6, 8]);
  });

  it("leave an argument as it was that is the parameter's old value", () => {
    const p = parameter([1, 2, 3]);
    const step = compile((x: Tensor) => {
      p.assign(mul(p, 2));
      return sum(matmul(reshape(p, [1, 3]), reshape(x, [3, 1])));
    });
    expect(numbers(step(tensor([1, 2, 3])))).toEqual([28]);
    // No copy, but a view of all of it: the same memory.
    expect(numbers(step(reshape(p, [3])))).toEqual([4 * 28]);
    expect(numbers(p)).toEqual([4, 8, 12]);
  });

  it("that are not element by element get a copy", () => {
    const p = parameter([1, 2, 3]);
    const turn = compile(() => p.assign(p.flip(0)));
    turn();
    expect(numbers(p)).toEqual([3, 2, 1]);
    const scan = compile(() => p.assign(p.cumSum({ axis: 0 })));
    scan();
    scan();
    expect(numbers(p)).toEqual([3, 8, 14]);
    const normalize = compile(() => p.assign(core.div(p, sum(p))));
    normalize();
    expect(sum(p).itemSync()).toBeCloseTo(1, 6);
  });

  it("follow one another", () => {
    const p = parameter([1, 2]);
    const step = compile(() => {
      p.assign(add(p, 1));
      p.assign(mul(p, 10));
      return p;
    });
    expect(numbers(step())).toEqual([20, 30]);
    expect(numbers(step())).toEqual([210, 310]);
  });

  it("of parameters of many sizes are one kernel", () => {
    const shapes = [[3, 4], [1], [], [5], [1, 1], [0]];
    const pairs = shapes.map((shape, i) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const value = tensor(
        Float64Array.from({ length: size }, (_, j) => i + j),
        { shape },
      );
      return [new Parameter(value, { name: `p${i}` }), new Parameter(mul(value, 0), { name: `m${i}` })] as const;
    });
    const step = compile((...gradients: Tensor[]) => {
      for (const [i, [p, m]] of pairs.entries()) {
        m.assign(add(mul(m, 0.5), gradients[i] as Tensor));
        p.assign(sub(p, m));
      }
    });
    const gradients = shapes.map((shape) => core.ones(shape));
    expect(step.program(...gradients).kernels.length).toBeLessThanOrEqual(2);
    step(...gradients);
    step(...gradients);
    for (const [i, [p, m]] of pairs.entries()) {
      expect(numbers(m)).toEqual(Array.from({ length: p.size }, () => 1.5));
      expect(numbers(p)).toEqual(Array.from({ length: p.size }, (_, j) => i + j - 2.5));
    }
  });

  it("are for gradients what they are without compilation", () => {
    const step = (p: Parameter) => (x: Tensor) => {
      const loss = sum(square(sub(matmul(x, reshape(p, [2, 1])), 1)));
      p.assign(sub(p, mul(grad(loss, p), 0.01)));
      return loss;
    };
    const [eager, replayed] = [parameter([1, 2]), parameter([1, 2])];
    const [plain, compiled] = [step(eager), compile(step(replayed))];
    for (let i = 0; i < 5; i++) {
      const x = tensor([
        [i, 1],
        [2, -i],
      ]);
      const before = compiled(x).itemSync();
      const loss = sum(square(sub(matmul(x, reshape(eager, [2, 1])), 1))).itemSync();
      plain(x);
      expect(before).toBeCloseTo(loss, 5);
      expect(numbers(replayed)).toEqual(numbers(eager));
    }
    expect(compiled.traces).toBe(1);
  });
});

describe("what changes from run to run", () => {
  it("random streams go on as if the graph were built again", () => {
    const build = (x: Tensor) => [
      mul(x, bernoulli(0.5, { shape: [6] })),
      rand([3]),
      randn([2], { dtype: "float64" }),
      permutation(5),
    ];
    const x = tensor([1, 2, 3, 4, 5, 6]);
    manualSeed(42);
    const fresh = [1, 2, 3].map(() => build(x).map(numbers));
    manualSeed(42);
    const compiled = compile(build);
    expect([1, 2, 3].map(() => compiled(x).map(numbers))).toEqual(fresh);
    expect(compiled.traces).toBe(1);
    expect(fresh[0]).not.toEqual(fresh[1]);
  });

  it("interleave with streams drawn outside", () => {
    const draw = () => rand([2]);
    manualSeed(3);
    const expected = [1, 2, 3, 4].map(() => numbers(draw()));
    manualSeed(3);
    const compiled = compile(draw);
    expect([numbers(compiled()), numbers(draw()), numbers(compiled()), numbers(draw())]).toEqual(expected);
  });

  it("a program that is only looked at advances nothing", () => {
    const generator: Generator = core.defaultGenerator;
    const compiled = compile((x: Tensor) => mul(x, rand([2])));
    const x = tensor([1, 1]);
    const before = generator.position;
    compiled.program(x);
    explain(compiled, x);
    expect(generator.position).toBe(before);
    compiled(x);
    expect(generator.position).toBe(before + 1);
  });

  it("uniforms and callbacks are asked at every run, in order", () => {
    const log: string[] = [];
    let count = 0;
    const step = compile((x: Tensor) => {
      const rate = new Tensor(
        uniformScalar("rate", "float32", () => {
          log.push("rate");
          return count;
        }),
      );
      onRun(() => {
        log.push("count");
        count++;
      });
      return mul(x, rate);
    });
    const x = tensor([2, 3]);
    expect([1, 2, 3].map(() => numbers(step(x)))).toEqual([
      [0, 0],
      [2, 3],
      [4, 6],
    ]);
    expect(log).toEqual(["rate", "count", "rate", "count", "rate", "count"]);
    expect(step.traces).toBe(1);
  });

  it("a guard that fails traces again; the variant is kept for when it holds", () => {
    let mode = 1;
    const step = compile((x: Tensor) => {
      const traced = mode;
      guard(() => mode === traced);
      return mul(x, traced);
    });
    const x = tensor([1, 2]);
    const results = [1, 2, 1, 2, 3, 1].map((next) => {
      mode = next;
      return step(x).dataSync()[0];
    });
    expect(results).toEqual([1, 2, 1, 2, 3, 1]);
    expect(step.traces).toBe(3);
  });

  it("compiled functions inside compiled functions are part of the graph", () => {
    const p = parameter([1, 1]);
    const inner = compile((x: Tensor) => {
      p.assign(add(p, x));
      return mul(p, rand([2]));
    });
    const outer = compile((x: Tensor) => add(inner(x), inner(x)));
    manualSeed(9);
    const actual = [1, 2].map(() => numbers(outer(tensor([1, 2]))));
    expect([inner.traces, outer.traces]).toEqual([0, 1]);
    expect(numbers(p)).toEqual([5, 9]);
    manualSeed(9);
    let value = [1, 1];
    const expected = [1, 2].map(() => {
      const parts = [1, 2].map(() => {
        value = [(value[0] as number) + 1, (value[1] as number) + 2];
        return numbers(mul(tensor(value), rand([2])));
      });
      return [0, 1].map((i) => (parts[0]?.[i] as number) + (parts[1]?.[i] as number));
    });
    for (const [i, values] of expected.entries()) {
      for (const [j, value] of values.entries()) expect(actual[i]?.[j]).toBeCloseTo(value, 5);
    }
  });
});

describe("what cannot be", () => {
  it("reading inside", () => {
    const read = compile((x: Tensor) => mul(x, add(x, 1).dataSync()[0] as number));
    expect(() => read(tensor([1]))).toThrow("a tensor was read inside a compiled function");
    // Not of an argument or a parameter that it updates, either.
    expect(() => compile((x: Tensor) => tensor([...x.dataSync()]))(tensor([1]))).toThrow(ThalwegError);
  });

  it("reading a parameter inside after it was updated there", () => {
    const p = parameter([1]);
    const step = compile((x: Tensor) => {
      p.assign(add(p, x));
      return p.itemSync();
    });
    expect(() => step(tensor([1]))).toThrow(ThalwegError);
    expect(numbers(p)).toEqual([1]);
  });

  it("asynchronous functions", () => {
    expect(() => compile(async (x: Tensor) => x)(tensor([1]))).toThrow("asynchronous");
  });

  it("tensors of a trace outside it", () => {
    let leaked: Tensor | undefined;
    compile((x: Tensor) => {
      leaked = mul(x, 2);
      return x;
    })(tensor([1]));
    expect(() => (leaked as Tensor).dataSync()).toThrow(ThalwegError);
  });

  it("a function that fails leaves nothing behind", () => {
    const p = parameter([1]);
    let fail = true;
    const step = compile((x: Tensor) => {
      p.assign(add(p, x));
      onRun(() => {});
      if (fail) throw new RangeError("no");
      return p;
    });
    expect(() => step(tensor([1]))).toThrow("no");
    expect(numbers(p)).toEqual([1]);
    expect(numbers(add(p, 1))).toEqual([2]);
    fail = false;
    expect(numbers(step(tensor([1])))).toEqual([2]);
  });

  it("disposed parameters", () => {
    const p = parameter([1]);
    const step = compile((x: Tensor) => add(p, x));
    expect(numbers(step(tensor([1])))).toEqual([2]);
    p.dispose();
    expect(() => step(tensor([1]))).toThrow(LifetimeError);
  });

  it("old values after a replay has updated the parameter", () => {
    const p = parameter([1]);
    const old = relu(p);
    const step = compile(() => p.assign(add(p, 1)));
    step();
    expect(() => old.dataSync()).toThrow(LifetimeError);
    expect(numbers(relu(p))).toEqual([2]);
  });
});

describe("captured tensors", () => {
  it("are read as they are, computed or not", () => {
    const lazy = add(tensor([1, 2]), 1);
    const p = parameter([10, 20]);
    const fn = compile((x: Tensor) => add(add(x, lazy), p));
    expect(numbers(fn(tensor([0, 0])))).toEqual([12, 23]);
    lazy.dataSync();
    expect(numbers(fn(tensor([1, 1])))).toEqual([13, 24]);
    p.assign(tensor([0, 0]));
    expect(numbers(fn(tensor([0, 0])))).toEqual([2, 3]);
  });

  it("keep the random numbers they were built with", () => {
    const noise = rand([2]);
    const values = numbers(noise);
    const fn = compile((x: Tensor) => add(x, noise));
    const expected = values.map((v) => Math.fround(1 + v));
    expect(numbers(fn(tensor([1, 1])))).toEqual(expected);
    expect(numbers(fn(tensor([1, 1])))).toEqual(expected);
    const lazy = rand([2]);
    const other = compile((x: Tensor) => add(x, lazy));
    const [first, second] = [numbers(other(tensor([0, 0]))), numbers(other(tensor([0, 0])))];
    expect(first).toEqual(second);
    expect(numbers(lazy)).toEqual(first);
  });
});

describe("explain", () => {
  it("shows kernels, traffic and arena of what would run", () => {
    const text = explain((x: Tensor) => add(mul(x, 2), 1), tensor([1, 2, 3]));
    expect(text).toContain("program: 1 kernel (1 loop)");
    expect(text).toContain("arena 0 B");
    expect(text).toMatch(/moves 24 B: reads 12 B, writes 12 B/);
    expect(explain((x: Tensor) => add(mul(x, 2), 1), tensor([1, 2, 3]))).toBe(text);
  });
  it("names parameters", () => {
    const weight = parameter([1, 2], "layers.0.weight");
    expect(explain((x: Tensor) => mul(x, weight), tensor([1, 2]))).toContain("layers.0.weight");
  });
});
