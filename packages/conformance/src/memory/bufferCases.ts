/** Buffers as a backend hands them out, without any tensor: counted, zero-filled, copied, returned, each instance's own. */
import { compile, full, Parameter, ThalwegError, useBackend } from "@thalweg/core";
import type { Backend } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { expect, expectBuffers, expectNoGrowth } from "./use.ts";

const counted: Case = {
  layer: "memory",
  name: "buffers are counted while they are held",
  run({ backend }) {
    const before = backend.memory();
    const [a, b] = [backend.allocate("float32", 1000), backend.allocate("int32", 10)];
    expectBuffers(before, backend, 2, 4040, "two buffers held");
    backend.free(a);
    expectBuffers(before, backend, 1, 40, "one of two freed");
    backend.free(b);
    expectBuffers(before, backend, 0, 0, "both freed");
  },
};

const recycled: Case = {
  layer: "memory",
  name: "5,000 buffers of all sizes, freed in another order",
  run({ backend }) {
    const before = backend.memory();
    const held = [];
    for (let i = 0; i < 5000; i++) {
      held.push(backend.allocate("float32", 1 + ((i * 37) % 211)));
      if (held.length > 20) backend.free(held.splice((i * 7) % 20, 1)[0] as object);
    }
    for (const buffer of held) backend.free(buffer);
    expectBuffers(before, backend, 0, 0, "all freed");
  },
};

const zeroFilled: Case = {
  layer: "memory",
  name: "a new buffer is zeros, also where another was freed",
  async run({ backend }) {
    for (const size of [1, 7, 64, 1000]) {
      const old = backend.allocate("float32", size);
      backend.write(old, new Float32Array(size).fill(7));
      backend.free(old);
      const fresh = backend.allocate("float32", size);
      const values = await backend.read(fresh);
      expect(values.length === size, () => `a buffer of ${size} elements was read as ${values.length}`);
      const at = values.findIndex((value) => value !== 0);
      expect(at < 0, () => `element ${at} of a new buffer of ${size} is ${values[at]}, expected 0`);
      backend.free(fresh);
    }
  },
};

const copied: Case = {
  layer: "memory",
  name: "what is written and what is read are copies",
  async run({ backend }) {
    const buffer = backend.allocate("float32", 3);
    const given = Float32Array.of(1, 2, 3);
    backend.write(buffer, given);
    given.fill(9);
    const first = await backend.read(buffer);
    expect(first.join() === "1,2,3", () => `read ${first} after the array that was written changed, expected 1,2,3`);
    first.fill(8);
    const second = await backend.read(buffer);
    expect(second.join() === "1,2,3", () => `read ${second} after the array that was read changed, expected 1,2,3`);
    backend.free(buffer);
  },
};

/** A Program with one output, ready to run. */
function ready(backend: Backend) {
  const { program } = compile(() => full([4], 3));
  useBackend(backend);
  return { executable: backend.compile(program()), output: backend.allocate("float32", 4) };
}

const disposed: Case = {
  layer: "memory",
  name: "a backend that was disposed of refuses to be used",
  async run({ another }) {
    const other = await another();
    const { executable, output } = ready(other);
    other.dispose();
    const uses: Readonly<Record<string, () => unknown>> = {
      allocate: () => other.allocate("float32", 4),
      write: () => other.write(output, new Float32Array(4)),
      read: () => other.read(output),
      run: () => other.run(executable, [output], []),
    };
    for (const [name, use] of Object.entries(uses)) {
      let thrown: unknown;
      try {
        await use();
      } catch (error) {
        thrown = error;
      }
      expect(thrown instanceof ThalwegError, () =>
        thrown === undefined
          ? `${name} after dispose went through, expected a BackendError`
          : `${name} after dispose threw ${String(thrown)}, expected a BackendError`,
      );
    }
    // Tensors may outlive it, and free what they hold when they are collected.
    other.free(output);
    other.dispose();
  },
};

const apart: Case = {
  layer: "memory",
  name: "instances share nothing",
  async run({ backend, another }) {
    const other = await another();
    useBackend(backend);
    const parameter = new Parameter(full([100], 1));
    // The first use allocates.
    parameter.assign(full([100], 2));
    const before = backend.memory();
    const theirs = other.memory();
    const held = other.allocate("float32", 500);
    other.write(held, new Float32Array(500).fill(5));
    expectBuffers(theirs, other, 1, 2000, "a buffer held on another instance");
    expectNoGrowth(before, backend, "a buffer held on another instance");
    other.dispose();
    const values = await parameter.data();
    expect(
      values.every((value) => value === 2),
      () => `${values[0]} after another instance was disposed of, expected 2`,
    );
    parameter.assign(full([100], 3));
    expect((await parameter.data())[99] === 3, () => "no update after another instance was disposed of");
    parameter.dispose();
  },
};

export const bufferCases: readonly Case[] = [counted, recycled, zeroFilled, copied, disposed, apart];
