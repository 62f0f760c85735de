import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  autocast,
  compile,
  linear,
  mean,
  mul,
  Parameter,
  square,
  sub,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import { adam, clipGradNorm, lossScaling, sgd, skipNonFinite } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const values = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? []);

describe("lossScaling", () => {
  it("changes no update as long as nothing overflows, and grows", () => {
    const start = [1, -2, 3];
    const run = (scaled: boolean) => {
      const p = new Parameter(tensor(start), { name: "p" });
      const plain = adam([p], { lr: 0.1, transforms: [clipGradNorm(1)] });
      const optimizer = scaled ? lossScaling(plain, { initialScale: 1024, growthInterval: 2 }) : plain;
      const step = compile(() => optimizer.minimize(mean(square(sub(p, 1)))));
      const losses = Array.from({ length: 5 }, () => step().dataSync()[0] as number);
      return { losses, p: values(p), scale: values(optimizer.sharedState.get("lossScale")), optimizer };
    };
    const [plain, scaled] = [run(false), run(true)];
    // A power of two changes no bit.
    expect(scaled.p).toEqual(plain.p);
    expect(scaled.losses).toEqual(plain.losses);
    expect(scaled.scale).toEqual([4096]);
    expect(values(scaled.optimizer.sharedState.get("growthTracker"))).toEqual([1]);
  });

  it("passes over what overflows in float16 and shrinks until it fits", () => {
    const p = new Parameter(tensor([[2]]), { name: "p" });
    const optimizer = lossScaling(sgd([p], { lr: 0.125 }), { initialScale: 2 ** 17, growthInterval: 100 });
    const x = tensor([[1]]);
    const step = compile(() => optimizer.minimize(mean(autocast("float16", () => linear(x, p)))));
    // The gradient of the product, 2^17, is infinite in float16, and so is 2^16; 2^15 is not.
    const seen = Array.from({ length: 4 }, () => {
      step().dataSync();
      return [values(p)[0], values(optimizer.sharedState.get("lossScale"))[0]];
    });
    expect(seen).toEqual([
      [2, 2 ** 16],
      [2, 2 ** 15],
      [1.875, 2 ** 15],
      [1.75, 2 ** 15],
    ]);
    expect(values(optimizer.sharedState.get("skipped"))).toEqual([2]);
  });

  it("keeps gradients that float16 would lose", () => {
    const small = new Parameter(tensor([[0]]), { name: "small" });
    const optimizer = lossScaling(sgd([small], { lr: 1 }));
    optimizer.minimize(autocast("float16", () => mul(mean(linear(tensor([[1]]), small)), 2 ** -26)));
    const plain = new Parameter(tensor([[0]]), { name: "plain" });
    sgd([plain], { lr: 1 }).minimize(autocast("float16", () => mul(mean(linear(tensor([[1]]), plain)), 2 ** -26)));
    // Below float16's smallest number.
    expect(values(plain)).toEqual([0]);
    expect(values(small)).toEqual([-(2 ** -26)]);
  });

  it("checks its options and what it wraps", () => {
    const p = () => [new Parameter(tensor([1]), { name: "p" })];
    expect(() => lossScaling(sgd(p(), { lr: 1 }), { initialScale: 0 })).toThrow(
      "expected initialScale of at least 1, got 0",
    );
    expect(() => lossScaling(sgd(p(), { lr: 1 }), { backoffFactor: 1 })).toThrow("backoffFactor between 0 and 1");
    expect(() => lossScaling(sgd(p(), { lr: 1 }), { growthFactor: 0.5 })).toThrow("growthFactor of at least 1");
    expect(() => lossScaling(sgd(p(), { lr: 1 }), { growthInterval: 1.5 })).toThrow(
      "growthInterval to be a whole number",
    );
    expect(() => lossScaling(skipNonFinite(sgd(p(), { lr: 1 })))).toThrow("leave skipNonFinite out");
  });
});
