/** Indices that are out of range when a kernel runs. */
import { type Backend, IndexError } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { checkProgram, failWith } from "./checkProgram.ts";
import { programCase, withBound } from "./programCases.ts";
import { Draft, gathered } from "./programs.ts";
import { counting, fewBits } from "./values.ts";

function gather(indices: readonly number[]): Draft {
  const draft = new Draft("gather");
  const index = draft.input("int32", indices);
  const x = draft.input("float32", counting(20));
  const y = draft.output("float32", 4 * indices.length);
  return draft.map([indices.length, 4], (body) => {
    const row = { value: body.load(index, [1, 0]), stride: 4, size: 5 };
    body.store(y, [4, 1], body.load(x, gathered([0, 1], row)));
  });
}

function scatter(indices: readonly number[]): Draft {
  const draft = new Draft("scatter");
  const p = draft.parameter("float32", fewBits("float32", 12));
  const index = draft.input("int32", indices);
  const x = draft.input("float32", counting(2 * indices.length));
  return draft.indexed({
    kind: "scatterAdd",
    label: "scatter",
    axis: 0,
    targetShape: [4, 3],
    shape: [indices.length, 2],
    target: p,
    index: { buffer: index, offset: 0, strides: [1, 0] },
    source: { buffer: x, offset: 0, strides: [2, 1] },
  });
}

/** Expects IndexError at the run or, for a backend that does not wait, at the next read; then that all still works. */
async function expectIndexError(backend: Backend, bad: Draft, good: Draft): Promise<void> {
  await withBound(backend, [bad], async (bound) => {
    let thrown: unknown;
    try {
      bound.run();
      await bound.read(bad.program.buffers.findIndex(({ kind }) => kind !== "input" && kind !== "temporary"));
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof IndexError)) {
      failWith(
        bad.program,
        thrown ? `expected IndexError, got ${String(thrown)}` : "expected IndexError, nothing was thrown",
      );
    }
  });
  await checkProgram(backend, good);
}

export const indexErrorCases: readonly Case[] = [
  ...[5, -1, 2147483647, -2147483648, 20].map((index) =>
    programCase(`gathering at ${index} of 5 rows throws IndexError`, (backend) =>
      expectIndexError(backend, gather([0, index, 4]), gather([4, 0, 2])),
    ),
  ),
  programCase("gathering from the last row out of range throws IndexError", (backend) =>
    expectIndexError(backend, gather([...new Array<number>(99).fill(3), 5]), gather([4, 4])),
  ),
  ...[4, -1].map((index) =>
    programCase(`adding at ${index} of 4 rows throws IndexError`, (backend) =>
      expectIndexError(backend, scatter([2, index, 2]), scatter([2, 0, 3])),
    ),
  ),
  programCase("an index out of range in a reduction throws IndexError", (backend) => {
    const sums = (indices: readonly number[]): Draft => {
      const draft = new Draft("gathered sum");
      const [index, x] = [draft.input("int32", indices), draft.input("float32", counting(6))];
      const y = draft.output("float32", 1);
      return draft.loop([], [indices.length], (stages) => {
        const sum = stages.inner((body) => {
          const value = body.load(index, [1]);
          return body.reduce("sum", body.load(x, gathered([0], { value, stride: 1, size: 6 })));
        });
        stages.outer((body) => body.store(y, [0], sum));
      });
    };
    return expectIndexError(backend, sums([0, 5, 6]), sums([0, 5, 5, 1]));
  }),
];
