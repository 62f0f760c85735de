import { describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  add,
  compile,
  gather,
  IndexError,
  log,
  NonFiniteError,
  Parameter,
  sum,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import { adam, clipGradNorm, raiseOnNonFinite } from "./index.ts";

const parameter = (name: string, values: number[]) => new Parameter(tensor(values, { dtype: "float64" }), { name });

describe.each([["all kernels"], ["loops only"]])("raiseOnNonFinite, backend of %s", (kind) => {
  const make = () => {
    useBackend(referenceBackend(kind === "loops only" ? { kernels: ["loop"] } : {}));
    const [p, q] = [parameter("p", [1, 2]), parameter("q", [3])];
    const optimizer = adam([p, q], { lr: 0.5, transforms: [raiseOnNonFinite(), clipGradNorm(1)] });
    const all = () => [
      ...p.dataSync(),
      ...q.dataSync(),
      ...(optimizer.state.get("p")?.expAvg?.dataSync() ?? []),
      ...(optimizer.state.get("q")?.expAvgSq?.dataSync() ?? []),
      optimizer.step,
      ...(optimizer.groups[0]?.entries.map((entry) => entry.updates) ?? []),
    ];
    return { p, q, optimizer, all };
  };

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "names the parameter and changes nothing, direct, for %s",
    (bad) => {
      const { optimizer, all } = make();
      const gradient = (...values: number[]) => tensor(values, { dtype: "float64" });
      optimizer.update([gradient(1, 2), gradient(3)]);
      const before = all();
      expect(() => optimizer.update([gradient(1, 2), gradient(bad)])).toThrow(
        "raiseOnNonFinite: the gradient of q is NaN or infinite; the update was not made",
      );
      expect(() => optimizer.update([gradient(1, bad), gradient(bad)])).toThrow("the gradient of p is NaN or infinite");
      expect(() => optimizer.update([gradient(bad, 0), null])).toThrow(NonFiniteError);
      expect(all()).toEqual(before);
      optimizer.update([gradient(1, 2), gradient(3)]);
      expect(optimizer.step).toBe(2);
    },
  );

  it("names the parameter and changes nothing, compiled, other assignments of the step among it", () => {
    const { p, q, optimizer, all } = make();
    const count = parameter("count", [0]);
    const step = compile((x: Tensor) => {
      count.assign(add(count, 1));
      return optimizer.minimize(add(sum(p), sum(log(add(q, x)))));
    });
    const value = (x: number) => tensor([x], { dtype: "float64" });
    step(value(0));
    const before = [...all(), ...count.dataSync()];
    const at = q.dataSync()[0] as number;
    expect(() => step(value(-at))).toThrow("the gradient of q is NaN or infinite");
    expect([...all(), ...count.dataSync()]).toEqual(before);
    step(value(0));
    expect(optimizer.step).toBe(2);
    expect(step.traces).toBe(1);
  });

  it("passes the gradients on as they are", () => {
    const { p, q } = make();
    const run = (transforms: ReturnType<typeof raiseOnNonFinite>[]) => {
      const [a, b] = [parameter("a", [...p.dataSync()]), parameter("b", [...q.dataSync()])];
      const optimizer = adam([a, b], { transforms });
      for (const g of [1, -0, 1e-300, 1e300]) {
        optimizer.update([tensor([g, -g], { dtype: "float64" }), tensor([g], { dtype: "float64" })]);
      }
      return [...a.dataSync(), ...b.dataSync()];
    };
    expect(run([raiseOnNonFinite()])).toEqual(run([]));
  });
});

describe("a backend that does not wait for its runs", () => {
  it("tells at the next read", async () => {
    const backend = referenceBackend();
    let failure: unknown;
    useBackend({
      ...backend,
      run(...run) {
        try {
          backend.run(...run);
        } catch (error) {
          failure = error;
        }
      },
      read(buffer) {
        const error = failure;
        failure = undefined;
        return error === undefined ? backend.read(buffer) : Promise.reject(error);
      },
    });
    const p = parameter("p", [1]);
    adam([p], { transforms: [raiseOnNonFinite()] }).update([tensor([Number.NaN], { dtype: "float64" })]);
    await expect(p.data()).rejects.toThrow("raiseOnNonFinite: the gradient of p is NaN or infinite");
    expect([...(await p.data())]).toEqual([1]);
  });
});

describe("an index that is out of range", () => {
  it("is still told as that", () => {
    useBackend(referenceBackend());
    const beyond = () => gather(tensor([1, 2]), tensor([-3], { dtype: "int32" }), { axis: 0 });
    expect(() => beyond().dataSync()).toThrow(IndexError);
  });
});
