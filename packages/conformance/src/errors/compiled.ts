/** Compiled functions used as they are not meant to be, or failing on the way: the next call is as if nothing had been. */
import {
  add,
  BackendError,
  compile,
  mul,
  Parameter,
  ShapeError,
  sum,
  type Tensor,
  ThalwegError,
  tensor,
} from "@thalweg/core";
import { sgd } from "@thalweg/core/optim";
import type { Case } from "../case.ts";
import { needBlocking } from "../needs.ts";
import { expectError, expectSame, expectValues, expectWorking } from "./expectError.ts";

const errorCase = (name: string, run: Case["run"]): Case => ({ layer: "errors", name, run });

export const compiledErrors: readonly Case[] = [
  errorCase("an asynchronous compiled function", async () => {
    const wrong = compile(async (x: Tensor) => add(x, 1));
    await expectError(BackendError, "compile: the function is asynchronous", () => wrong(tensor([1])));
    await expectWorking();
  }),
  errorCase("a tensor read at once inside a compiled function", async ({ backend }) => {
    needBlocking(backend);
    const wrong = compile((x: Tensor) => mul(x, sum(x).itemSync()));
    await expectError(ThalwegError, "compile: a tensor was read inside a compiled function", () =>
      wrong(tensor([1, 2])),
    );
    await expectWorking();
  }),
  errorCase("an argument of a compiled function used outside it", async () => {
    let kept: Tensor | undefined;
    const leaking = compile((x: Tensor) => {
      kept = add(x, 1);
      return mul(x, 2);
    });
    await expectValues("the result", leaking(tensor([1, 2])), [2, 4]);
    await expectError(ThalwegError, "", () => kept?.data());
    await expectWorking();
  }),
  errorCase("a compiled function that throws while it is traced", async () => {
    const parameter = new Parameter(tensor([1, 2]), { name: "p" });
    const optimizer = sgd([parameter], { lr: 0.5 });
    const step = compile((x: Tensor) => {
      optimizer.minimize(sum(mul(parameter, 2)));
      return add(parameter, x);
    });
    await expectError(ShapeError, "shapes do not broadcast", () => step(tensor([1, 2, 3])));
    expectSame("the step count", optimizer.step, 0);
    await expectValues("the parameter", parameter, [1, 2]);
    await expectValues("the result of a good call", step(tensor([10, 10])), [10, 11]);
    expectSame("the step count afterwards", optimizer.step, 1);
    await expectValues("the parameter afterwards", parameter, [0, 1]);
  }),
  errorCase("a compiled function whose learning rate throws", async () => {
    const parameter = new Parameter(tensor([1, 2]), { name: "p" });
    let broken = false;
    const lr = (): number => {
      if (broken) throw new ThalwegError("schedule", "has no rate");
      return 0.5;
    };
    const optimizer = sgd([parameter], { lr });
    const step = compile(() => optimizer.minimize(sum(mul(parameter, 2))));
    await expectValues("the first loss", step(), [6]);
    broken = true;
    await expectError(ThalwegError, "schedule: has no rate", () => step());
    expectSame("the step count", optimizer.step, 1);
    await expectValues("the parameter", parameter, [0, 1]);
    broken = false;
    await expectValues("the next loss", step(), [2]);
    expectSame("the step count afterwards", optimizer.step, 2);
  }),
];
