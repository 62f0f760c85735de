/** Row programs: several stages over the inner loops, which build on each other's reductions. */
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { checkAll, type Expectation } from "./checkProgram.ts";
import { Draft } from "./programs.ts";
import { fewBits, spread } from "./values.ts";

const rowCase = (name: string, drafts: () => Iterable<Draft>, expectation?: Expectation): Case => ({
  layer: "kernels",
  name: `row program: ${name}`,
  run: ({ backend }) => checkAll(backend, drafts(), expectation),
});

/** exp(x - max) / sum, with the exponentials computed in two stages. */
function softmaxDraft(outer: number, inner: number, strides: readonly [number, number]): Draft {
  const draft = new Draft();
  const x = draft.input("float32", spread(outer * inner, 4, inner));
  const y = draft.output("float32", outer * inner);
  draft.loop([outer], [inner], (stages) => {
    const most = stages.inner((body) => body.reduce("max", body.load(x, strides)));
    const sum = stages.inner((body) =>
      body.reduce("sum", body.unary("exp", body.binary("sub", body.load(x, strides), most))),
    );
    stages.inner((body) => {
      const exponential = body.unary("exp", body.binary("sub", body.load(x, strides), most));
      body.store(y, strides, body.binary("div", exponential, sum));
    });
  });
  return draft;
}

const rowAllowance: Expectation = { allow: { ulp: tolerances.get("softmax")?.output.ulp(16) ?? 0, scale: 0 } };

export const rowProgramCases: readonly Case[] = [
  rowCase(
    "softmax of rows, three stages",
    () => [1, 2, 7, 17, 64, 300].map((n) => softmaxDraft(7, n, [n, 1])),
    rowAllowance,
  ),
  rowCase(
    "softmax of columns, three stages",
    () => [1, 5, 37, 65].map((n) => softmaxDraft(n, 20, [1, n])),
    rowAllowance,
  ),
  rowCase(
    "mean and deviation of rows, four stages, exact",
    () =>
      [4, 16, 64].map((n) => {
        const draft = new Draft();
        const x = draft.input("float32", fewBits("float32", 5 * n));
        const y = draft.output("float32", 5 * n);
        const [means, squares] = [draft.output("float32", 5), draft.output("float32", 5)];
        draft.loop([5], [n], (stages) => {
          const sum = stages.inner((body) => body.reduce("sum", body.load(x, [n, 1])));
          const mean = stages.outer((body) => {
            const value = body.binary("div", sum, body.constant("float32", n));
            body.store(means, [1, 0], value);
            return value;
          });
          const square = stages.inner((body) => {
            const difference = body.binary("sub", body.load(x, [n, 1]), mean);
            return body.reduce("sum", body.binary("mul", difference, difference));
          });
          stages.inner((body) => {
            const difference = body.binary("sub", body.load(x, [n, 1]), mean);
            body.store(y, [n, 1], difference);
          });
          stages.outer((body) => body.store(squares, [1, 0], square));
        });
        return draft;
      }),
    { allow: { ulp: 16, scale: 64 } },
  ),
  rowCase(
    "two values of a row that both cost much, used in the other order later",
    () =>
      [3, 50, 130].map((n) => {
        const draft = new Draft();
        const x = draft.input("float32", spread(4 * n, 3, 8));
        const [y, z] = [draft.output("float32", 4 * n), draft.output("float32", 4 * n)];
        draft.loop([4], [n], (stages) => {
          const [sumOfExp, sumOfTanh] = stages.inner((body) => {
            const value = body.load(x, [n, 1]);
            const square = body.unary("tanh", body.binary("mul", value, value));
            return [body.reduce("sum", body.unary("exp", value)), body.reduce("sum", square)] as const;
          });
          stages.inner((body) => {
            const value = body.load(x, [n, 1]);
            const tanh = body.unary("tanh", body.binary("mul", value, value));
            body.store(y, [n, 1], body.binary("div", tanh, sumOfTanh));
            body.store(z, [n, 1], body.binary("div", body.unary("exp", value), sumOfExp));
          });
        });
        return draft;
      }),
    rowAllowance,
  ),
  rowCase(
    "in place: what a stage overwrote, a later stage loads anew",
    () => {
      const draft = new Draft();
      const p = draft.parameter("float32", fewBits("float32", 100));
      const y = draft.output("float32", 100);
      draft.loop([], [100], (stages) => {
        stages.inner((body) => body.store(p, [1], body.unary("exp", body.load(p, [1]))));
        stages.inner((body) => body.store(y, [1], body.unary("exp", body.load(p, [1]))));
      });
      return [draft];
    },
    { allow: { ulp: 40 } },
  ),
  rowCase("a stage that loads what the one before stored", () => {
    const draft = new Draft();
    const x = draft.input("int32", fewBits("int32", 90));
    const [y, z] = [draft.output("int32", 90), draft.output("int32", 6)];
    draft.loop([6], [15], (stages) => {
      const most = stages.inner((body) => body.reduce("max", body.load(x, [15, 1])));
      stages.inner((body) => body.store(y, [15, 1], body.binary("sub", body.load(x, [15, 1]), most)));
      const sum = stages.inner((body) => body.reduce("sum", body.load(y, [15, 1])));
      stages.outer((body) => body.store(z, [1, 0], sum));
    });
    return [draft];
  }),
  rowCase("a position found, then used", () => {
    const draft = new Draft();
    const x = draft.input("float32", fewBits("float32", 70));
    const [y, z] = [draft.output("float32", 70), draft.output("bool", 70)];
    draft.loop([7], [10], (stages) => {
      const place = stages.inner((body) => body.reduce("argMax", body.load(x, [10, 1])));
      stages.inner((body) => {
        const here = body.binary("equal", body.index([0, 1]), place);
        body.store(y, [10, 1], body.where(here, body.load(x, [10, 1]), body.constant("float32", 0)));
        body.store(z, [10, 1], here);
      });
    });
    return [draft];
  }),
];
