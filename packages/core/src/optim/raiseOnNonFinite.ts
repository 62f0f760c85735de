/** Stopping at the first gradient that is no number. */
import { NonFiniteError } from "../graph/errors.ts";
import { failingIndices } from "../runtime/failures.ts";
import { tensor } from "../tensor/creation.ts";
import { add, barrier, cast, equal, isFinite as finite, mul, where } from "../tensor/elementwise.ts";
import { gather } from "../tensor/indexing.ts";
import { all } from "../tensor/reduce.ts";
import { reshape } from "../tensor/views.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";

const subject = "raiseOnNonFinite";

const errorFor = (name: string) => () =>
  new NonFiniteError(subject, `the gradient of ${name} is NaN or infinite; the update was not made`);

/**
 * Throws NonFiniteError, which names the parameter, at an update with a gradient that holds a NaN or an infinity: at the
 * run, or for a backend that does not wait, at the next read. Parameters and state stay as they were, and on backends
 * that wait so do step counts. Nobody waits for a value: the Program looks up the 1 that all gradients are multiplied by at
 * an index that is out of range unless all is well. Put it first to test gradients, last to test what is made of them.
 * Costs a reduction of the gradients.
 */
export function raiseOnNonFinite(): GradientTransform {
  return described(`${subject}()`, (gradients, _, { names }) => {
    if (gradients.length === 0) return gradients;
    const base = failingIndices(`${subject} ${JSON.stringify(names)}`, names.map(errorFor));
    // 0 when all are finite, else the number of the first that is not, from 1. A float, for an index made of numbers in
    // memory is one that the compiler knows to be able to fail.
    const first = gradients.reduceRight(
      (later, g, i) => where(all(finite(g)), later, i + 1),
      cast(tensor(0), "float32"),
    );
    const number = cast(first, "int32");
    const index = where(equal(number, 0), number, add(number, cast(tensor(base - 1, { dtype: "int32" }), "int32")));
    const one = barrier(gather(tensor([1]), reshape(index, [1]), { axis: 0 }));
    return gradients.map((g) => mul(g, reshape(cast(one, g.dtype), [])));
  });
}
