/** The graphs whose Programs are counted, and short ways to write them. */
import { compile, type Tensor, tensor, vjp } from "@thalweg/core";
import { allocateHost, type DType, sizeOf } from "@thalweg/core/backend";

export interface FusionGraph {
  readonly name: string;
  /** Dtypes it stores. */
  readonly dtypes: readonly DType[];
  /** Its first run is another one: it starts what an optimizer keeps. Default false. */
  readonly starts?: boolean;
  /** Makes inputs and parameters; what it returns runs the graph, once at each call. */
  prepare(): () => unknown;
}

/** An input: its shape, float32 unless another dtype is named. */
export type Input = readonly [...shape: number[]] | { readonly shape: readonly number[]; readonly dtype: DType };

const shapeOf = (input: Input): readonly number[] => ("shape" in input ? input.shape : input);
const dtypeOf = (input: Input): DType => ("shape" in input ? input.dtype : "float32");

/** An input of zeros, which fusion does not look at. */
export const leaf = (input: Input): Tensor => {
  const [shape, dtype] = [shapeOf(input), dtypeOf(input)];
  return tensor(allocateHost(dtype, sizeOf(shape)), { shape, dtype });
};

export const int32 = (...shape: readonly number[]): Input => ({ shape, dtype: "int32" });

/** A function of inputs alone. */
export function graph(
  name: string,
  inputs: readonly Input[],
  fn: (...args: readonly Tensor[]) => unknown,
): FusionGraph {
  const prepare = (): (() => unknown) => {
    const compiled = compile((...args: Tensor[]) => fn(...args));
    const leaves = inputs.map(leaf);
    return () => compiled(...leaves);
  };
  return { name, dtypes: ["float32", ...inputs.map(dtypeOf)], prepare };
}

/** The gradients of `fn`, by the inputs whose numbers `by` lists, for a gradient of its result that is an input. */
export function gradients(
  name: string,
  by: readonly number[],
  inputs: readonly Input[],
  fn: (...args: readonly Tensor[]) => Tensor,
): FusionGraph {
  const prepare = (): (() => unknown) => {
    const compiled = compile((dy: Tensor, ...args: Tensor[]) =>
      vjp(
        [fn(...args)],
        by.map((i) => args[i] as Tensor),
        [dy],
      ),
    );
    const leaves = inputs.map(leaf);
    const dy = leaf([...fn(...leaves).shape]);
    return () => compiled(dy, ...leaves);
  };
  return { name: `gradient of ${name}`, dtypes: ["float32", ...inputs.map(dtypeOf)], prepare };
}
