/** Waiting for a backend: at once where it can block for a result, by promises where it cannot. */
import { cast, concat, currentBackend, flatten, isFloat, Parameter, slice, type Tensor, zeros } from "@thalweg/core";
import { samplePlaces } from "../../values.ts";

/** Reads a tensor's elements and hands them on. */
export function read(tensor: Tensor, use: (values: ArrayLike<number>) => void): Promise<void> | void {
  if (currentBackend().capabilities.blocking) return use(tensor.dataSync() as ArrayLike<number>);
  return tensor.data().then((values) => use(values as ArrayLike<number>));
}

/**
 * A function that waits until the backend has done everything it was given: it reads one element in the backend's
 * memory, which comes after every run so far.
 */
export function fence(): () => Promise<void> | void {
  const element = new Parameter(zeros([1]), { trainable: false });
  return () => read(element, () => {});
}

/** All elements as numbers; those of 16 bits would come as their bits. */
export const numbersOf = async (tensor: Tensor): Promise<ArrayLike<number>> =>
  (await (isFloat(tensor.dtype) ? cast(tensor, "float32") : tensor).data()) as ArrayLike<number>;

/** `samples` of a tensor, of which no more than that is read: it may fill a device. */
export async function samplesOf(tensor: Tensor): Promise<number[]> {
  const flat = flatten(tensor);
  const chosen = samplePlaces(tensor.size).map((at) => slice(flat, { axis: 0, start: at, end: at + 1 }));
  return Array.from(await numbersOf(concat(chosen, { axis: 0 })));
}
