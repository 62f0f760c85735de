/** Programs of several kernels, run again and again: temporaries, uniforms, other buffers, errors while running. */
import { type Backend, contiguousStrides } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { BoundProgram } from "./boundProgram.ts";
import { checkProgram, compareValues, failWith, needProgram } from "./checkProgram.ts";
import { at, Draft } from "./programs.ts";
import { counting, fewBits } from "./values.ts";

export const programCase = (name: string, run: (backend: Backend) => Promise<void>): Case => ({
  layer: "kernels",
  name: `program: ${name}`,
  run: ({ backend }) => run(backend),
});

/** Reads a buffer and compares it with what it should hold. */
async function expectBuffer(
  bound: BoundProgram,
  draft: Draft,
  buffer: number,
  expected: readonly number[],
): Promise<void> {
  const { program } = draft;
  try {
    const { dtype } = program.buffers[buffer] as NonNullable<(typeof program.buffers)[number]>;
    compareValues(`b${buffer}`, dtype, await bound.read(buffer), expected);
  } catch (error) {
    failWith(program, error);
  }
}

/** Runs `use` with the Program bound to buffers of its own, which it frees then. */
export async function withBound(
  backend: Backend,
  drafts: readonly Draft[],
  use: (...bound: BoundProgram[]) => Promise<void>,
): Promise<void> {
  for (const { program } of drafts) needProgram(backend, program);
  const bound = drafts.map((draft) => new BoundProgram(backend, draft));
  try {
    await use(...bound);
  } finally {
    for (const program of bound) program.free();
  }
}

/** y = scale · x + shift. */
function scaling(size: number, values: readonly number[] = counting(size)): Draft {
  const draft = new Draft("scaling");
  const [scale, shift] = [draft.uniform("float32", 2), draft.uniform("float32", 1)];
  const [x, y] = [draft.input("float32", values), draft.output("float32", size)];
  return draft.map([size], (body) => {
    const scaled = body.binary("mul", body.uniform(scale), body.load(x, [1]));
    body.store(y, [1], body.binary("add", scaled, body.uniform(shift)));
  });
}
const scalingOf = (values: readonly number[], scale: number, shift: number) => values.map((x) => scale * x + shift);

/** Sums of shrinking neighbourhoods through a chain of temporaries that lie in each other's old places. */
function chain(size: number): Draft {
  const draft = new Draft("chain");
  const x = draft.input("float32", fewBits("float32", size, 8));
  const y = draft.output("float32", size);
  const room = Math.ceil((4 * size) / 64) * 64;
  const places = [0, room, 0, room, 2 * room, 0];
  let from = x;
  for (const [i, place] of places.entries()) {
    const to = draft.temporary("float32", size, place);
    const source = from;
    draft.map([size], (body) => {
      const mirrored = body.load(source, at(size - 1, -1));
      const value = body.load(source, [1]);
      body.store(
        to,
        [1],
        body.binary(i % 2 === 0 ? "sub" : "add", value, body.binary("mul", mirrored, body.constant("float32", 2))),
      );
    });
    from = to;
  }
  const last = from;
  return draft.map([size], (body) => body.store(y, [1], body.load(last, [1])));
}

/** Counts in a temporary, which is set to 0 first or, where `mask` says so, left out of what is read. */
function maskedTemporary(): Draft {
  const draft = new Draft("masked temporary");
  const x = draft.input("int32", counting(20));
  const y = draft.output("int32", 20);
  // The temporary is written in its first half only; the rest is loaded but not chosen.
  const half = draft.temporary("int32", 20, 0);
  draft.map([10], (body) => body.store(half, [1], body.load(x, [1])));
  return draft.map([20], (body) => {
    const first = body.binary("less", body.index([1]), body.constant("int32", 10));
    body.store(y, [1], body.where(first, body.load(half, [1]), body.constant("int32", -1)));
  });
}

const temporaryCases: Case[] = [
  ...[1, 16, 33, 1000].map((size) =>
    programCase(`a chain through temporaries that share bytes, ${size} elements`, (backend) =>
      checkProgram(backend, chain(size)),
    ),
  ),
  programCase("temporaries of every dtype next to each other", async (backend) => {
    for (const dtype of ["float32", "float64", "int32", "uint32", "bool", "float16", "bfloat16"] as const) {
      if (!backend.capabilities.dtypes.has(dtype)) continue;
      const draft = new Draft();
      const inputs = [1, 2, 3].map((seed) => draft.input(dtype, fewBits(dtype, 7, seed)));
      const between = inputs.map((_, i) => draft.temporary(dtype, 7, 64 * i));
      const output = draft.output(dtype, 7);
      for (const [i, x] of inputs.entries())
        draft.map([7], (body) => body.store(between[i] as number, [1], body.load(x, [1])));
      draft.map([7], (body) => {
        const [a, b, c] = between.map((buffer) => body.load(buffer, at(6, -1))) as [never, never, never];
        body.store(output, [1], body.binary("add", body.binary("maximum", a, b), c));
      });
      await checkProgram(backend, draft);
    }
  }),
  programCase("one place for temporaries of different dtypes, one after the other", (backend) => {
    const draft = new Draft();
    const x = draft.input("float32", fewBits("float32", 50));
    const y = draft.output("float32", 50);
    const [whole, half, number] = [
      draft.temporary("int32", 50, 0),
      draft.temporary("float32", 50, 448),
      draft.temporary("float32", 50, 0),
    ];
    draft.map([50], (body) => body.store(whole, [1], body.cast("int32", body.load(x, [1]))));
    draft.map([50], (body) => body.store(half, [1], body.cast("float32", body.load(whole, at(49, -1)))));
    draft.map([50], (body) => body.store(number, [1], body.binary("sub", body.load(half, [1]), body.load(x, [1]))));
    draft.map([50], (body) => body.store(y, [1], body.load(number, at(49, -1))));
    return checkProgram(backend, draft);
  }),
  programCase("a temporary taken over in place, element by element", (backend) => {
    const draft = new Draft();
    const x = draft.input("float32", fewBits("float32", 40));
    const y = draft.output("float32", 40);
    const [first, second] = [draft.temporary("float32", 40, 64), draft.temporary("float32", 40, 64)];
    draft.map([40], (body) => body.store(first, [1], body.unary("neg", body.load(x, [1]))));
    draft.map([40], (body) => {
      const value = body.load(first, [1]);
      body.store(second, [1], body.binary("mul", value, value));
    });
    draft.map([40], (body) => body.store(y, [1], body.load(second, at(39, -1))));
    return checkProgram(backend, draft);
  }),
  programCase("what a temporary held before is not chosen", async (backend) => {
    const draft = maskedTemporary();
    await checkProgram(backend, draft);
    const y = 1;
    const known = [...counting(10), ...new Array<number>(10).fill(-1)];
    await withBound(backend, [draft, chain(40)], async (bound, other) => {
      for (let i = 0; i < 3; i++) {
        other.run();
        bound.run();
        await expectBuffer(bound, draft, y, known);
      }
    });
  }),
  programCase("a product, a bias and a softmax, through temporaries", (backend) => {
    const draft = new Draft();
    const [m, n, k] = [9, 10, 11];
    const [x, w] = [
      draft.input("float32", fewBits("float32", m * k, 1)),
      draft.input("float32", fewBits("float32", k * n, 2)),
    ];
    const y = draft.output("float32", m * n);
    const places = draft.output("int32", m);
    const hidden = draft.temporary("float32", m * n, 0);
    const dense = { a: { buffer: x, offset: 0, strides: [k, 1] }, b: { buffer: w, offset: 0, strides: [n, 1] } };
    draft.matmul({ dtype: "float32", batch: [], m, n, k, ...dense }, (body) =>
      body.store(hidden, [n, 1], body.unary("relu", body.accumulator("float32"))),
    );
    draft.loop([m], [n], (stages) => {
      const [most, place] = stages.inner((body) => {
        const value = body.load(hidden, [n, 1]);
        return [body.reduce("max", value), body.reduce("argMax", value)] as const;
      });
      stages.inner((body) => body.store(y, [n, 1], body.binary("sub", body.load(hidden, [n, 1]), most)));
      stages.outer((body) => body.store(places, [1, 0], place));
    });
    return checkProgram(backend, draft);
  }),
];

const repeatCases: Case[] = [
  programCase("uniforms are those of each run", (backend) => {
    const draft = scaling(33);
    return withBound(backend, [draft], async (bound) => {
      for (const [scale, shift] of [
        [2, 1],
        [3, 1],
        [3, -5],
        [0, 0],
        [-1, 7],
        [2, 1],
      ] as const) {
        bound.run([scale, shift]);
        await expectBuffer(bound, draft, 1, scalingOf(counting(33), scale, shift));
      }
    });
  }),
  programCase("uniforms of a product's epilogue are those of each run", (backend) => {
    const draft = new Draft();
    const scale = draft.uniform("float32", 1);
    const [x, w] = [draft.input("float32", counting(6)), draft.input("float32", counting(6))];
    const y = draft.output("float32", 4);
    const views = { a: { buffer: x, offset: 0, strides: [3, 1] }, b: { buffer: w, offset: 0, strides: [2, 1] } };
    draft.matmul({ dtype: "float32", batch: [], m: 2, n: 2, k: 3, ...views }, (body) =>
      body.store(y, [2, 1], body.binary("mul", body.accumulator("float32"), body.uniform(scale))),
    );
    return withBound(backend, [draft], async (bound) => {
      for (const value of [1, -2, 0.5]) {
        bound.run([value]);
        await expectBuffer(
          bound,
          draft,
          y,
          [22, 28, 49, 64].map((sum) => sum * value),
        );
      }
    });
  }),
  programCase("the list of uniforms may be used again by the caller", (backend) => {
    const draft = scaling(5);
    return withBound(backend, [draft], async (bound) => {
      const uniforms = [2, 1];
      bound.run(uniforms);
      uniforms[0] = 100;
      await expectBuffer(bound, draft, 1, scalingOf(counting(5), 2, 1));
    });
  }),
  programCase("one executable on several sets of buffers", async (backend) => {
    const drafts = [scaling(40), scaling(40, fewBits("float32", 40, 1)), scaling(40, fewBits("float32", 40, 2))];
    const [first, second, third] = drafts as [Draft, Draft, Draft];
    needProgram(backend, first.program);
    const one = new BoundProgram(backend, first);
    const others = [second, third].map((draft) => new BoundProgram(backend, draft, one.executable));
    const all = [one, ...others];
    const values = [counting(40), fewBits("float32", 40, 1), fewBits("float32", 40, 2)];
    for (const [i, bound] of all.entries()) bound.run([i + 1, i]);
    for (const [i, bound] of all.entries()) {
      await expectBuffer(bound, first, 1, scalingOf(values[i] as number[], i + 1, i));
      await expectBuffer(bound, first, 0, values[i] as number[]);
    }
    for (const bound of all) bound.free();
  }),
  programCase("two executables by turns, with temporaries in one arena", (backend) => {
    const [small, large] = [chain(20), chain(700)];
    return withBound(backend, [small, large, scaling(3)], async (a, b, c) => {
      a.run();
      const [first] = [await a.read(1)];
      b.run();
      const second = await b.read(1);
      for (let i = 0; i < 3; i++) {
        a.run();
        b.run();
        c.run([i, 1]);
        await expectBuffer(b, large, 1, second);
        await expectBuffer(a, small, 1, first);
        await expectBuffer(c, scaling(3), 1, scalingOf([1, 2, 3], i, 1));
      }
    });
  }),
  programCase("parameters go on from where the last run left them", (backend) => {
    const draft = new Draft();
    const p = draft.parameter("float32", counting(50));
    draft.map([50], (body) => body.store(p, [1], body.binary("add", body.load(p, [1]), body.constant("float32", 2))));
    return withBound(backend, [draft], async (bound) => {
      for (let i = 1; i <= 5; i++) {
        bound.run();
        if (i % 2 === 1)
          await expectBuffer(
            bound,
            draft,
            p,
            counting(50).map((x) => x + 2 * i),
          );
      }
    });
  }),
  programCase("an output of one Program is the input of the next", (backend) => {
    const [first, second] = [scaling(17), scaling(17)];
    return withBound(backend, [first, second], async (a, b) => {
      a.run([2, 1]);
      backend.run(b.executable, [a.handle(1), b.handle(1)], [3, -1]);
      await expectBuffer(b, second, 1, scalingOf(scalingOf(counting(17), 2, 1), 3, -1));
      // And with new contents, through the same handles.
      a.run([-1, 0]);
      backend.run(b.executable, [a.handle(1), b.handle(1)], [1, 0]);
      await expectBuffer(
        b,
        second,
        1,
        counting(17).map((x) => -x),
      );
    });
  }),
  programCase("every run gives the same bits", (backend) => {
    const draft = new Draft();
    const n = 5003;
    const x = draft.input(
      "float32",
      Array.from({ length: n }, (_, i) => Math.fround(Math.sin(i * 1.7) * 3)),
    );
    const y = draft.output("float32", 1);
    draft.loop([], [n], (stages) => {
      const sum = stages.inner((body) => {
        const value = body.load(x, [1]);
        return body.reduce("sum", body.binary("mul", body.unary("exp", value), value));
      });
      stages.outer((body) => body.store(y, [0], sum));
    });
    return withBound(backend, [draft], async (bound) => {
      bound.run();
      const first = await bound.read(y);
      for (let i = 0; i < 3; i++) {
        bound.run();
        await expectBuffer(bound, draft, y, first);
      }
    });
  }),
  programCase("one buffer bound as two inputs", (backend) => {
    const draft = new Draft();
    const [x, y] = [draft.input("float32", counting(12)), draft.input("float32", counting(12))];
    const z = draft.output("float32", 12);
    const strides = contiguousStrides([3, 4]);
    draft.map([3, 4], (body) =>
      body.store(z, strides, body.binary("sub", body.load(x, strides), body.load(y, [1, 3]))),
    );
    return withBound(backend, [draft], async (bound) => {
      backend.run(bound.executable, [bound.handle(x), bound.handle(x), bound.handle(z)], []);
      await expectBuffer(bound, draft, z, [0, -2, -4, -6, 3, 1, -1, -3, 6, 4, 2, 0]);
    });
  }),
];

export const programCases: readonly Case[] = [...temporaryCases, ...repeatCases];
