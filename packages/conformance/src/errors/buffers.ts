/** Reading, writing and lifetimes: what a backend and the tensors on it refuse. */
import {
  add,
  BackendError,
  compile,
  LifetimeError,
  mul,
  ones,
  Parameter,
  sum,
  tensor,
  useBackend,
} from "@thalweg/core";
import type { Backend } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { delegate } from "../delegate.ts";
import { needBlocking } from "../needs.ts";
import { expectError, expectSame, expectValues, expectWorking } from "./expectError.ts";

const errorCase = (name: string, run: Case["run"]): Case => ({ layer: "errors", name, run });

/** `inner` as it would be if it could not block. */
function withoutBlocking(inner: Backend): Backend {
  const { readSync: _, ...rest } = delegate(inner);
  return { ...rest, capabilities: { ...inner.capabilities, blocking: false } };
}

const reading: readonly Case[] = [
  errorCase("reading at once where the backend cannot block", async ({ backend }) => {
    useBackend(withoutBlocking(backend));
    const message = "cannot block for a result; use the asynchronous form";
    const lazy = add(tensor([1, 2]), 1);
    await expectError(BackendError, message, () => lazy.dataSync());
    await expectError(BackendError, message, () => lazy.arraySync());
    await expectError(BackendError, message, () => sum(lazy).itemSync());
    await expectValues("the same tensor read asynchronously", lazy, [2, 3]);
  }),
  errorCase("reading at once where the backend can", async ({ backend }) => {
    needBlocking(backend);
    const lazy = add(tensor([1, 2]), 1);
    expectSame("dataSync", String([...lazy.dataSync()]), "2,3");
    await expectValues("read asynchronously", lazy, [2, 3]);
  }),
];

const buffers: readonly Case[] = [
  errorCase("write of too few elements", async ({ backend }) => {
    const buffer = backend.allocate("float32", 3);
    backend.write(buffer, new Float32Array([1, 2, 3]));
    await expectError(BackendError, "expected Float32Array of 3", () =>
      backend.write(buffer, new Float32Array([7, 8])),
    );
    expectSame("the buffer afterwards", String(await backend.read(buffer)), "1,2,3");
    backend.free(buffer);
  }),
  errorCase("write of another type of array", async ({ backend }) => {
    const buffer = backend.allocate("float32", 2);
    await expectError(BackendError, "expected Float32Array of 2", () => backend.write(buffer, new Int32Array([7, 8])));
    expectSame("the buffer afterwards", String(await backend.read(buffer)), "0,0");
    backend.free(buffer);
  }),
  errorCase("use of a buffer that was freed", async ({ backend }) => {
    const buffer = backend.allocate("float32", 2);
    backend.free(buffer);
    await expectError(BackendError, "freed", () => backend.read(buffer));
    await expectError(BackendError, "freed", () => backend.write(buffer, new Float32Array(2)));
    await expectWorking();
  }),
  errorCase("a buffer of another backend", async ({ backend, another }) => {
    const other = await another();
    const foreign = { name: "a buffer of nobody" };
    await expectError(BackendError, "another backend", () => backend.read(foreign));
    await expectError(BackendError, "another backend", () => other.read(foreign));
    await expectWorking();
  }),
  errorCase("use of a backend that was disposed of", async ({ another }) => {
    const other = await another();
    const buffer = other.allocate("float32", 2);
    other.dispose();
    await expectError(BackendError, "disposed", () => other.allocate("float32", 2));
    await expectError(BackendError, "disposed", () => other.read(buffer));
    await expectWorking();
  }),
];

const lifetimes: readonly Case[] = [
  errorCase("use of a parameter that was disposed of", async () => {
    const parameter = new Parameter(tensor([1, 2]));
    await expectValues("before", add(parameter, 1), [2, 3]);
    parameter.dispose();
    await expectError(LifetimeError, "tensor: used after it was disposed", () => parameter.data());
    await expectError(LifetimeError, "tensor: used after it was disposed", () => add(parameter, 2).data());
    await expectError(LifetimeError, "tensor: used after it was disposed", () => parameter.assign(tensor([3, 4])));
    await expectWorking();
  }),
  errorCase("a compiled function of a parameter that was disposed of", async () => {
    const parameter = new Parameter(tensor([1, 2]));
    const scaled = compile(() => mul(parameter, 3));
    await expectValues("before", scaled(), [3, 6]);
    parameter.dispose();
    await expectError(LifetimeError, "tensor: used after it was disposed", () => scaled().data());
    await expectWorking();
  }),
  errorCase("a tensor of a parameter that was updated since", async () => {
    const parameter = new Parameter(tensor([1, 2]));
    const late = mul(parameter, 3);
    const early = mul(parameter, 4);
    await expectValues("read before the update", early, [4, 8]);
    parameter.assign(ones([2]));
    await expectError(LifetimeError, "built from a parameter that has been updated since", () => late.data());
    await expectValues("read before the update, and again", early, [4, 8]);
    await expectValues("built after the update", mul(parameter, 3), [3, 3]);
  }),
];

export const bufferErrors: readonly Case[] = [...reading, ...buffers, ...lifetimes];
