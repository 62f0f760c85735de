import { fromBFloat16Bits, type HostArray, type MatmulKernel, type Program } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { canEmulate, emulatedCuda } from "../testEmulation.ts";
import { testTarget } from "../testKernel.ts";
import { compileMatmul } from "./index.ts";
import { type Body, type ProductOptions, productProgram, wholeNumbers } from "./testProducts.ts";

/** Large enough to be given to cuBLASLt. */
const [m, n, k] = [512, 576, 448];

const numbers = (array: HostArray): Float32Array =>
  array instanceof Uint16Array ? Float32Array.from(array, fromBFloat16Bits) : Float32Array.from(array);

/** What the result holds, by the definition. Sums of whole numbers are exact. */
function expectedOf(inputs: readonly HostArray[], options: ProductOptions): Float32Array {
  const [a, b, bias, before, residual] = inputs.map(numbers) as Float32Array[] as [
    Float32Array,
    Float32Array,
    ...Float32Array[],
  ];
  const sums = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let c = 0; c < k; c++) {
      const left = (options.a === "packedLines" ? a[c * m + i] : a[i * k + c]) as number;
      if (options.b === "packedK")
        for (let j = 0; j < n; j++) (sums[i * n + j] as number) += left * (b[j * k + c] as number);
      else for (let j = 0; j < n; j++) (sums[i * n + j] as number) += left * (b[c * n + j] as number);
    }
  }
  return sums.map((sum, at) => {
    const position = options.transposed ? (at % n) * m + Math.floor(at / n) : at;
    switch (options.body) {
      case "biasRelu":
        return Math.max(0, sum + (bias?.[at % n] as number));
      case "residual":
        return sum + (residual?.[position] as number);
      case "inPlace":
        return sum + (before?.[position] as number);
      case "scaled":
        return sum / 2;
      default:
        return sum;
    }
  });
}

async function run(program: Program, inputs: readonly HostArray[]): Promise<HostArray> {
  const backend = await emulatedCuda();
  const handles = program.buffers.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, inputs[index] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, [3]);
  const result = await backend.read(handles[3] as never);
  backend.dispose();
  return result;
}

describe.runIf(canEmulate)("products by cuBLASLt, emulated", () => {
  const cases: readonly (ProductOptions & { readonly body: Body })[] = [
    { body: "plain" },
    { body: "biasRelu", a: "packedLines", b: "packedK" },
    { body: "residual", b: "packedK" },
    { body: "inPlace", a: "packedLines" },
    { body: "scaled", transposed: true },
    { body: "biasRelu", transposed: true },
    { body: "plain", storage: ["bfloat16", "bfloat16", "float32"] },
  ];
  it.each(cases)("gives the sums: %o", async (given) => {
    const options = { ...given, packed: true };
    const program = productProgram(m, n, k, options);
    const context = { program, target: { ...testTarget, cublasLt: true }, guarded: false };
    expect(compileMatmul(program.kernels[0] as MatmulKernel, context).launches[0]?.kind).toBe("product");
    const inputs = wholeNumbers(program);
    const expected = expectedOf(inputs, options);
    const result = numbers(await run(program, inputs));
    const ordered = options.transposed
      ? expected.map((_, at) => result[(at % n) * m + Math.floor(at / n)] as number)
      : result;
    let different = 0;
    for (let at = 0; at < m * n; at++) if (ordered[at] !== expected[at]) different++;
    expect(different).toBe(0);
  });

  it("takes operands that begin within a buffer", async () => {
    const whole = productProgram(m, n, k, { packed: true });
    const kernel = whole.kernels[0] as MatmulKernel;
    // 16 bytes, which is all the alignment that is asked for.
    const offset = 4;
    const buffers = whole.buffers.map((buffer, i) => (i === 0 ? { ...buffer, size: buffer.size + offset } : buffer));
    const program = { ...whole, buffers, kernels: [{ ...kernel, a: { ...kernel.a, offset } }] };
    const context = { program, target: { ...testTarget, cublasLt: true }, guarded: false };
    expect(compileMatmul(program.kernels[0] as MatmulKernel, context).launches[0]?.kind).toBe("product");
    const inputs = wholeNumbers(program);
    const [a, ...others] = inputs as [Float32Array, ...HostArray[]];
    expect(numbers(await run(program, inputs))).toEqual(expectedOf([a.subarray(offset), ...others], {}));
  });
});
