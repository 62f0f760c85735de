/** How elements of a buffer are named in the text of indexed kernels. */
import type { DType } from "@thalweg/core/backend";
import type { Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext } from "../kernel/launch.ts";

/** The type of device/storage.cuh that stands for a dtype. */
export const elementTypes: Readonly<Record<DType, string>> = {
  float32: "Float32",
  float64: "Float64",
  int32: "Int32",
  uint32: "UInt32",
  bool: "Bool",
  bfloat16: "BFloat16",
  float16: "Float16",
};

export const dtypeOf = ({ program }: Pick<KernelContext, "program">, buffer: number): DType =>
  program.buffers[buffer]?.dtype as DType;

/** A buffer as a parameter called `name`. */
export function bufferParameter(
  context: Pick<KernelContext, "program">,
  buffer: number,
  name: string,
  access: "read" | "write",
  restrict: boolean,
): Parameter {
  const storage = `${elementTypes[dtypeOf(context, buffer)]}::Storage`;
  return {
    type: access === "read" ? `const ${storage}*` : `${storage}*`,
    name,
    argument: { kind: "buffer", buffer },
    restrict,
  };
}

/** The integer that counts up to `most`. */
export const indexFor = (most: number): "int" | "long long" => (most < 2 ** 31 - 2 ** 16 ? "int" : "long long");
