/** Waiting for a backend: at once where it can block for a result, by promises where it cannot. */
import { currentBackend, Parameter, type Tensor, zeros } from "@thalweg/core";

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
