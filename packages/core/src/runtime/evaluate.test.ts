import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/interpreter.ts";
import {
  add,
  BackendError,
  compile,
  currentBackend,
  DTypeError,
  exp,
  LifetimeError,
  mul,
  ones,
  Parameter,
  rand,
  ShapeError,
  sub,
  sum,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import { assignAll } from "./evaluate.ts";

interface Counts {
  compiled: number;
  runs: number;
}

/** A backend that counts what is asked of it. */
function counting(): { backend: Backend; counts: Counts } {
  const inner = referenceBackend();
  const counts: Counts = { compiled: 0, runs: 0 };
  const backend: Backend = {
    ...inner,
    compile(program) {
      counts.compiled++;
      return inner.compile(program);
    },
    run(...args) {
      counts.runs++;
      inner.run(...args);
    },
  };
  return { backend, counts };
}

let backend: Backend;
let counts: Counts;
beforeEach(() => {
  ({ backend, counts } = counting());
  useBackend(backend);
});

const numbers = (x: Tensor): number[] => [...x.dataSync()];

describe("evaluation", () => {
  it("computes nothing before it is asked, and once only", () => {
    const y = mul(add(tensor([1, 2]), 1), 3);
    expect(counts).toEqual({ compiled: 0, runs: 0 });
    expect(numbers(y)).toEqual([6, 9]);
    expect(numbers(y)).toEqual([6, 9]);
    expect(counts).toEqual({ compiled: 1, runs: 1 });
  });

  it("compiles one Program for graphs of one structure", () => {
    for (let i = 0; i < 5; i++) {
      expect(numbers(mul(add(tensor([i, 2]), rand([2])), 0))).toEqual([0, 0]);
    }
    expect(counts).toEqual({ compiled: 1, runs: 5 });
    numbers(mul(add(tensor([1, 2, 3]), rand([3])), 0));
    numbers(mul(add(tensor([1, 2]), rand([2])), 1));
    expect(counts.compiled).toBe(3);
  });

  it("tells graphs apart by which leaves are the same", () => {
    const [a, b] = [tensor([1, 2]), tensor([10, 20])];
    expect(numbers(add(a, a))).toEqual([2, 4]);
    expect(numbers(add(a, b))).toEqual([11, 22]);
    expect(numbers(sub(a, b))).toEqual([-9, -18]);
    expect(numbers(sub(b, a))).toEqual([9, 18]);
  });

  it("starts from what is computed already", () => {
    const costly = exp(tensor([0, 1]));
    numbers(costly);
    const program = counts.compiled;
    expect(numbers(mul(costly, 2))[0]).toBe(2);
    expect(counts.compiled).toBe(program + 1);
    // The same structure over data: exp is not part of it.
    expect(numbers(mul(tensor([5, 5]), 2))).toEqual([10, 10]);
    expect(counts.compiled).toBe(program + 1);
  });

  it("survives graphs thousands of nodes deep", () => {
    let x: Tensor = tensor([0, 1], { dtype: "float64" });
    for (let i = 0; i < 4000; i++) x = add(x, 1);
    expect(numbers(x)).toEqual([4000, 4001]);
  });

  it("moves tensors to the backend in use", () => {
    const x = tensor([1, 2]);
    const p = new Parameter(tensor([3, 4]));
    expect(numbers(add(x, p))).toEqual([4, 6]);
    const other = referenceBackend();
    useBackend(other);
    expect(numbers(add(x, p))).toEqual([4, 6]);
    p.assign(tensor([5, 6]));
    useBackend(backend);
    expect(numbers(add(x, p))).toEqual([6, 8]);
    expect(currentBackend()).toBe(backend);
  });

  it("gives copies: writing to what was read changes nothing", () => {
    const x = add(tensor([1, 2]), 0);
    x.dataSync().fill(9);
    expect(numbers(x)).toEqual([1, 2]);
    const given = Float32Array.of(1, 2);
    const y = tensor(given);
    given.fill(9);
    expect(numbers(y)).toEqual([1, 2]);
  });
});

describe("parameters", () => {
  it("make tensors built from an old value unreadable, unless they were computed", () => {
    const p = new Parameter(tensor([1, 2]));
    const [computed, lazy] = [add(p, 1), add(p, 2)];
    expect(numbers(computed)).toEqual([2, 3]);
    p.assign(tensor([5, 5]));
    expect(numbers(computed)).toEqual([2, 3]);
    expect(numbers(mul(computed, 2))).toEqual([4, 6]);
    expect(() => lazy.dataSync()).toThrow(LifetimeError);
    expect(() => sum(lazy).dataSync()).toThrow("built from a parameter that has been updated since");
  });

  it("start as a copy", () => {
    const start = tensor([1, 2]);
    const [a, b] = [new Parameter(start), new Parameter(start)];
    a.assign(tensor([9, 9]));
    expect([numbers(start), numbers(b)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it("check what they are given before anything changes", () => {
    const [a, b] = [new Parameter(tensor([1, 2])), new Parameter(tensor([3, 4]))];
    expect(() => a.assign(tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => a.assign(tensor(Int32Array.of(1, 2)))).toThrow(DTypeError);
    const both = () =>
      assignAll([
        [a.storage, tensor([7, 7]).node],
        [b.storage, tensor([7]).node],
      ]);
    expect(both).toThrow("assign: expected shape [2], got [1]");
    expect([numbers(a), numbers(b)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("are updated as if at once", () => {
    const [a, b] = [new Parameter(tensor([1, 2])), new Parameter(tensor([3, 4]))];
    const total = add(a, b);
    assignAll(
      [
        [a.storage, b.node],
        [b.storage, a.node],
      ],
      [total.node],
    );
    expect([numbers(a), numbers(b), numbers(total)]).toEqual([
      [3, 4],
      [1, 2],
      [4, 6],
    ]);
    expect(counts.runs).toBe(3);
  });

  it("cannot be used after they are disposed", () => {
    const p = new Parameter(tensor([1, 2]));
    const y = add(p, 1);
    numbers(mul(p, 1));
    const before = backend.memory().buffers;
    p.dispose();
    p.dispose();
    expect(backend.memory().buffers).toBe(before - 1);
    expect(() => y.dataSync()).toThrow(LifetimeError);
    expect(() => p.dataSync()).toThrow(LifetimeError);
    expect(() => p.assign(tensor([1, 2]))).toThrow(LifetimeError);
  });
});

describe("memory", () => {
  it("of a tensor can be freed before the tensor goes", () => {
    const [x, double] = [tensor([1, 2]), compile((y: Tensor) => mul(y, 2))];
    const result = double(x);
    expect(numbers(result)).toEqual([2, 4]);
    const lazy = add(x, 1);
    lazy.dispose();
    expect(numbers(lazy)).toEqual([2, 3]);
    const { buffers } = backend.memory();
    result.dispose();
    lazy[Symbol.dispose]();
    expect(backend.memory().buffers).toBe(buffers - 2);
    expect(() => result.dataSync()).toThrow(LifetimeError);
    expect(() => lazy.dataSync()).toThrow("used after it was disposed");
    expect(() => mul(result, 2).dataSync()).toThrow(LifetimeError);
    result.dispose();
    expect(numbers(x)).toEqual([1, 2]);
  });

  it("of tensors that are dropped is given back", async () => {
    const collect = (globalThis as { gc?: () => void }).gc;
    if (!collect) throw new Error("run with --expose-gc");
    const p = new Parameter(tensor(new Float32Array(1000)));
    const round = () => {
      for (let i = 0; i < 50; i++) {
        const y = add(mul(p, 2), i);
        y.dataSync();
        p.assign(add(p, 1));
      }
    };
    round();
    const { arenaBytes } = backend.memory();
    for (let i = 0; i < 4; i++) round();
    // 500 results and intermediate values are gone; the parameter and the last few may still be there.
    await vi.waitFor(() => {
      collect();
      expect(backend.memory().buffers).toBeLessThan(10);
    }, 5000);
    expect(backend.memory().arenaBytes).toBe(arenaBytes);
    expect(p.dataSync()[0]).toBe(250);
  });
});

describe("backends", () => {
  it("that cannot block refuse the Sync forms", async () => {
    const { readSync: _, ...rest } = referenceBackend();
    useBackend({ ...rest, name: "remote", capabilities: { ...rest.capabilities, blocking: false } });
    const x = add(tensor([1, 2]), 1);
    expect(() => x.dataSync()).toThrow(BackendError);
    expect([...(await x.data())]).toEqual([2, 3]);
  });
});

it("detach lets go of the history of a tensor that has been read", async () => {
  useBackend(referenceBackend());
  let x = ones([2]);
  for (let i = 0; i < 3; i++) {
    x = mul(x, 2);
    await x.data();
    x = x.detach();
    expect(x.node.inputs).toEqual([]);
  }
  expect(await x.array()).toEqual([8, 8]);
});
