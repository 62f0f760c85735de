import { describe, expect, it } from "vitest";
import { testTarget } from "../testKernel.ts";
import { elementOf } from "./element.ts";
import type { Side } from "./product.ts";
import { chooseTiling, type Sizes } from "./tiling.ts";

const side = (dtype: Side["dtype"]): Side => ({ buffer: 0, dtype, offset: 0, batch: [], line: 1, depth: 1 });
const elementFor = (dtype: Side["dtype"], precision: "highest" | "tf32" = "highest") =>
  elementOf(
    { dtype: dtype === "float64" ? "float64" : "float32", a: side(dtype), b: side(dtype) },
    { ...testTarget, precision },
  );
const choose = (sizes: Partial<Sizes>, dtype: Side["dtype"] = "float32") =>
  chooseTiling({ batch: 1, rows: 64, columns: 64, depth: 64, ...sizes }, elementFor(dtype), testTarget);

describe("tiling", () => {
  it("takes the largest tiles where there are enough of them", () => {
    for (const dtype of ["float32", "bfloat16"] as const) {
      const tiling = choose({ rows: 8192, columns: 8192, depth: 8192 }, dtype);
      expect(tiling).toMatchObject({ tile: { rows: 128, columns: 128 }, tileRows: 64, parts: 1, partDepth: 8192 });
    }
  });

  it("fills the device with smaller ones", () => {
    const { tile, tileRows, tileColumns } = choose({ rows: 1024, columns: 384, depth: 128 });
    expect(tile.rows).toBeLessThan(128);
    expect(tileRows * tileColumns).toBeGreaterThanOrEqual(96);
  });

  it("divides long sums of few results, evenly and without empty parts", () => {
    for (const depth of [1024, 4096, 5000, 100_000]) {
      const { parts, partDepth, tile } = choose({ rows: 128, columns: 128, depth });
      expect(parts).toBeGreaterThan(1);
      expect(partDepth % tile.depth).toBe(0);
      expect(parts * partDepth).toBeGreaterThanOrEqual(depth);
      expect((parts - 1) * partDepth).toBeLessThan(depth);
    }
  });

  it("multiplies by tensor cores what is exact there, or asked for", () => {
    expect(elementFor("float32").type).toBe("FloatElement");
    expect(elementFor("float32", "tf32").type).toBe("Tf32Element");
    expect(elementFor("bfloat16").type).toBe("BFloat16Element");
    expect(elementFor("float64", "tf32").type).toBe("DoubleElement");
  });
});
