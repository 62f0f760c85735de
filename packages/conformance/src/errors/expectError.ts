/** Calls that must fail: with which error, saying what, and what must be as before. */
import { add, type Tensor, type ThalwegError, tensor } from "@thalweg/core";
import type { Backend, HostArray } from "@thalweg/core/backend";
import type { Case, CaseContext } from "../case.ts";

/** Class of a typed error. */
export type ErrorClass = (abstract new (...args: never[]) => ThalwegError) & { readonly name: string };

/** Throws unless `call` fails with an error of `type` whose message has `message` in it. */
export async function expectError(type: ErrorClass, message: string, call: () => unknown): Promise<void> {
  let caught: unknown;
  try {
    const result = await call();
    throw new Missing(`expected ${type.name} (${message}), but nothing was thrown; the result is ${String(result)}`);
  } catch (error) {
    if (error instanceof Missing) throw error;
    caught = error;
  }
  if (!(caught instanceof type)) {
    const got = caught instanceof Error ? `${caught.name}: ${caught.message}` : String(caught);
    throw new Error(`expected ${type.name} (${message}), got ${got}`);
  }
  if (!caught.message.includes(message)) {
    throw new Error(`${type.name} says "${caught.message}", expected "${message}" in it`);
  }
}

class Missing extends Error {}

/** A backend must go on as if nothing had been, whatever it has thrown before. */
export async function expectWorking(): Promise<void> {
  await expectValues("1 + 2 afterwards", add(tensor([1, 2]), 2), [3, 4]);
}

const shown = (values: ArrayLike<number | boolean>): string => `[${Array.from(values).join(", ")}]`;

/** Throws unless the elements of `got` are exactly `expected`. */
export async function expectValues(what: string, got: Tensor, expected: ArrayLike<number>): Promise<void> {
  const data: HostArray = await got.data();
  if (data.length === expected.length && Array.from(data).every((value, i) => Object.is(value, expected[i]))) return;
  throw new Error(`${what}: got ${shown(data)}, expected ${shown(expected)}`);
}

/** Throws unless a plain value is as expected. */
export function expectSame<T>(what: string, got: T, expected: T): void {
  if (!Object.is(got, expected)) throw new Error(`${what}: got ${String(got)}, expected ${String(expected)}`);
}

/** Name of the case, the error and a part of what it says, the call. */
export type BadCall = readonly [name: string, type: ErrorClass, message: string, call: (backend: Backend) => unknown];

/** A case of one call that fails at once, before the backend hears of it. */
export const badCall = ([name, type, message, call]: BadCall): Case => ({
  layer: "errors",
  name,
  async run({ backend }: CaseContext) {
    await expectError(type, message, () => call(backend));
    await expectWorking();
  },
});
