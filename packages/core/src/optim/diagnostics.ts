/** Numbers that tell how training goes, computed in the Program of the update. */
import type { Node } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { full } from "../tensor/creation.ts";
import { add, cast, div, equal, logicalOr, mul, sub, where } from "../tensor/elementwise.ts";
import { sum } from "../tensor/reduce.ts";
import { Tensor } from "../tensor/tensor.ts";
import { commonDType, globalNorm } from "./globalNorm.ts";
import type { Entry } from "./groups.ts";
import { arithmetic, inDType, type Pair } from "./updates.ts";

/** Scalars of one update of some parameters. Parameters without gradient, and those left out, do not count. */
export interface DiagnosticNumbers {
  /** Norm of the gradients before transforms. */
  readonly gradientNorm: Tensor;
  /** Norm of what the parameters moved by. */
  readonly updateNorm: Tensor;
  /** updateNorm over the norm of the parameters before; 0 where nothing moved. Of the order of 1e-3 when all is well. */
  readonly updateToWeight: Tensor;
  /** Fraction of the elements that clipping transforms changed: all or none of them for `clipGradNorm`. */
  readonly fractionClipped: Tensor;
}

/** Of one update: of the whole optimizer, and of each group by name. Plain, so that a compiled step can return it. */
export interface UpdateDiagnostics extends DiagnosticNumbers {
  readonly groups: Readonly<Record<string, DiagnosticNumbers>>;
}

/** What diagnostics are made of, for one parameter. */
interface Moved {
  readonly gradient: Tensor;
  readonly before: Tensor;
  readonly change: Tensor;
  /** How many elements were clipped; undefined: none can have been. */
  readonly clipped: Tensor | undefined;
}

/** Where `elements`, which broadcasts to `size` > 0 elements, holds: how many of them. */
const countOf = (elements: Tensor, size: number, dtype: "float32" | "float64"): Tensor =>
  mul(sum(cast(elements, dtype)), size / sizeOf(elements.shape));

function numbersOf(moved: readonly Moved[]): DiagnosticNumbers {
  const dtype = commonDType(moved.map(({ change }) => change));
  const scalar = (value: number): Tensor => full([], value, { dtype });
  const updateNorm = globalNorm(moved.map(({ change }) => change));
  const weightNorm = globalNorm(moved.map(({ before }) => before));
  const counts = moved.flatMap(({ clipped }) => (clipped ? [inDType(clipped, dtype)] : []));
  const size = moved.reduce((total, { change }) => total + change.size, 0);
  return {
    gradientNorm: globalNorm(moved.map(({ gradient }) => gradient)),
    updateNorm,
    updateToWeight: where(equal(updateNorm, 0), scalar(0), div(updateNorm, weightNorm)),
    fractionClipped: size === 0 ? scalar(0) : div(counts.reduce(add, scalar(0)), size),
  };
}

/** Collects which elements of each gradient were clipped, by whichever transform. */
export class ClippedElements {
  readonly #byEntry = new Map<Entry, Tensor>();

  add(entry: Entry, elements: Tensor): void {
    const others = this.#byEntry.get(entry);
    this.#byEntry.set(entry, others ? logicalOr(others, elements) : elements);
  }
  get(entry: Entry): Tensor | undefined {
    return this.#byEntry.get(entry);
  }
}

/**
 * The diagnostics of an update that assigns `pairs`.
 *
 * @param gradients Before transforms. `updated`: the parameters that the update is of.
 */
export function diagnosticsOf(
  groups: readonly { readonly name: string; readonly entries: readonly Entry[] }[],
  gradients: ReadonlyMap<Entry, Tensor>,
  updated: ReadonlySet<Entry>,
  pairs: readonly Pair[],
  clipped: ClippedElements,
): UpdateDiagnostics {
  const values = new Map(pairs);
  const moved = (entry: Entry): Moved => {
    const { parameter } = entry;
    const dtype = arithmetic(parameter);
    const before = inDType(new Tensor(parameter.node), dtype);
    const assigned = values.get(parameter.storage);
    const after = assigned ? inDType(new Tensor(assigned), dtype) : before;
    const elements = clipped.get(entry);
    return {
      gradient: inDType(gradients.get(entry) as Tensor, dtype),
      before,
      change: sub(after, before),
      clipped: elements && parameter.size > 0 ? countOf(elements, parameter.size, dtype) : undefined,
    };
  };
  const byGroup = groups.map((group) => [group.name, group.entries.filter((e) => updated.has(e)).map(moved)] as const);
  return {
    ...numbersOf(byGroup.flatMap(([, all]) => all)),
    groups: Object.fromEntries(byGroup.map(([name, all]) => [name, numbersOf(all)])),
  };
}

/** All that has to be computed for `diagnostics`. */
export function nodesOf({ groups, ...whole }: UpdateDiagnostics): Node[] {
  return [whole, ...Object.values(groups)].flatMap((numbers) => Object.values(numbers).map(({ node }) => node));
}
