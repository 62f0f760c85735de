import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  add,
  autocast,
  cast,
  compile,
  conv2d,
  crossEntropy,
  exp,
  grad,
  layerNorm,
  linear,
  matmul,
  mul,
  Parameter,
  relu,
  softmax,
  sum,
  tensor,
  useBackend,
} from "../index.ts";
import { sgd } from "../optim/index.ts";

beforeAll(() => useBackend(referenceBackend()));

const x = tensor([
  [1.001, 2],
  [3, 4],
]);

describe("autocast", () => {
  it("casts operands of products to the scope's dtype, and gives it", () => {
    const outside = matmul(cast(x, "bfloat16"), cast(x, "bfloat16"));
    const inside = autocast("bfloat16", () => matmul(x, x));
    expect(inside.dtype).toBe("bfloat16");
    expect(Array.from(inside.dataSync())).toEqual(Array.from(outside.dataSync()));
    expect(autocast("float16", () => linear(x, x, tensor([1, 2]))).dtype).toBe("float16");
    const image = tensor([
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ]);
    expect(autocast("float16", () => conv2d(image, image, tensor([1]))).dtype).toBe("float16");
    expect(autocast("bfloat16", () => matmul(cast(x, "float64"), cast(x, "float64"))).dtype).toBe("float64");
    expect(matmul(x, x).dtype).toBe("float32");
  });

  it("computes what is sensitive in float32, and promotes the rest", () => {
    const half = cast(x, "bfloat16");
    const dtypes = autocast("bfloat16", () => [
      softmax(half).dtype,
      exp(half).dtype,
      sum(half).dtype,
      layerNorm(half, { normalizedShape: [2] }).dtype,
      crossEntropy(half, tensor([0, 1], { dtype: "int32" })).dtype,
      relu(half).dtype,
      add(half, half).dtype,
      add(half, x).dtype,
    ]);
    expect(dtypes).toEqual([...new Array<string>(5).fill("float32"), "bfloat16", "bfloat16", "float32"]);
    expect([softmax(half).dtype, exp(half).dtype, sum(half).dtype]).toEqual(new Array(3).fill("bfloat16"));
  });

  it("nests, ends with an error, and refuses promises and other dtypes", () => {
    const inner = autocast("bfloat16", () => [autocast("float32", () => matmul(x, x).dtype), matmul(x, x).dtype]);
    expect(inner).toEqual(["float32", "bfloat16"]);
    expect(() => autocast("bfloat16", () => tensor([1]).reshape([2]))).toThrow();
    expect(() => autocast("bfloat16", async () => 1)).toThrow("build returned a promise");
    expect(() => autocast("int32" as "float32", () => 1)).toThrow(
      "expected one of bfloat16, float16, float32, got int32",
    );
    expect(matmul(x, x).dtype).toBe("float32");
  });

  it("gives float32 gradients of float32 parameters, rounded on the way only", () => {
    const w = new Parameter(tensor([[0.5, -1]]), { name: "w" });
    const loss = autocast("bfloat16", () => sum(linear(x, w)));
    const gradient = grad(loss, w);
    expect(gradient.dtype).toBe("float32");
    // 1.001 is 1 in bfloat16.
    expect(Array.from(gradient.dataSync())).toEqual([4, 6]);
  });

  it("is part of what a compiled function was traced for, and leaves the update alone", () => {
    const w = new Parameter(tensor([[0.5, -1.001]]), { name: "w" });
    const optimizer = sgd([w], { lr: 1 });
    const step = compile(() => optimizer.minimize(mul(sum(linear(x, w)), 1)));
    const full = step().dtype;
    autocast("bfloat16", () => step());
    expect([full, step.traces]).toEqual(["float32", 2]);
    const once = Math.fround(Math.fround(0.5 - Math.fround(1.001 + 3)) - 4);
    expect(w.dataSync()[0]).toBeCloseTo(once, 6);
    expect(w.dtype).toBe("float32");
  });
});
