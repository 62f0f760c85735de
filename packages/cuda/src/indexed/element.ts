/** How elements of a buffer are named in the text of indexed kernels. */
import type { DType } from "@thalweg/core/backend";
import type { Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext } from "../kernel/launch.ts";
import { storageType } from "../source/index.ts";

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
  const storage = storageType(dtypeOf(context, buffer));
  return {
    type: access === "read" ? `const ${storage}*` : `${storage}*`,
    name,
    argument: { kind: "buffer", buffer },
    restrict,
  };
}

/** The integer that counts up to `most`, and one step of a whole grid past it: those are of at most 65535 blocks of 256. */
export const indexFor = (most: number): "int" | "long long" => (most < 2 ** 31 - 2 ** 25 ? "int" : "long long");
