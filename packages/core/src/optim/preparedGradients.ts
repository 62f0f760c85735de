/** From the gradients of a loss to those a rule descends along. */
import { barrier } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { applyTransforms, type GradientTransform } from "./gradientTransform.ts";
import type { Entry } from "./groups.ts";
import { arithmetic, inDType } from "./updates.ts";

/** What transforms need of an optimizer. */
export interface Transforming {
  readonly name: string;
  readonly transforms: readonly GradientTransform[];
  readonly groups: readonly { readonly maximize: boolean; readonly entries: readonly Entry[] }[];
  readonly step: () => number;
}

/**
 * `gradients` in the dtype of arithmetic, transformed; without those that a transform left out.
 *
 * @param onClipped Given what clipping transforms clipped of each gradient.
 */
export function prepareGradients(
  { name, transforms, groups, step }: Transforming,
  gradients: ReadonlyMap<Entry, Tensor>,
  onClipped: (entry: Entry, elements: Tensor) => void = () => {},
): Map<Entry, Tensor> {
  const entries = [...gradients.keys()];
  const ascending = new Set(groups.filter((group) => group.maximize).flatMap((group) => group.entries));
  const prepared = applyTransforms(
    name,
    transforms,
    // Stored before a rule reads them, so that the updates of all parameters are kernels of one shape that the
    // compiler can join, rather than each an epilogue of its own gradient.
    entries.map((entry) => barrier(inDType(gradients.get(entry) as Tensor, arithmetic(entry.parameter)))),
    entries.map((entry) => entry.parameter),
    {
      names: entries.map((entry) => entry.name),
      maximize: entries.map((entry) => ascending.has(entry)),
      step,
      onClipped: (index, elements) => onClipped(entries[index] as Entry, elements),
    },
  );
  return new Map(
    entries.flatMap((entry, i) => {
      const gradient = prepared[i];
      return gradient ? [[entry, gradient] as const] : [];
    }),
  );
}
