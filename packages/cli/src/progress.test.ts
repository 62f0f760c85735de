import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { progress } from "./progress.ts";

const result = { loss: 0.04119, validationAccuracy: 0.979, seconds: 2.13 };

it("prints one plain line per epoch where there is no terminal", () => {
  let written = "";
  const { onStep, onEpoch } = progress({ isTTY: false, write: (text: string) => (written += text) }, 8);
  onStep({ epoch: 3, step: 1, steps: 2, loss: 1 });
  onEpoch(result, 3);
  expect(written).toBe("epoch 3/8  loss 0.0412  validation 97.90 %  2.1 s\n");
});

it("draws a bar on a terminal, and leaves the line of each epoch", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true as const, columns: 100 });
  const { onStep, onEpoch, stop } = progress(stream as unknown as NodeJS.WriteStream, 2);
  onStep({ epoch: 1, step: 1, steps: 4, loss: 2.5 });
  onStep({ epoch: 1, step: 2, steps: 4, loss: 2.25 });
  onEpoch(result, 1);
  onStep({ epoch: 2, step: 1, steps: 4, loss: undefined });
  stop();
  stop();
  const written = String(stream.read());
  expect(written).toContain("epoch 1/2 ████████░░░░░░░░░░░░░░░░░░░░░░░░ 25 %  loss 2.5000");
  expect(written).toContain("50 %  loss 2.2500");
  expect(written).toContain("epoch 1/2  loss 0.0412  validation 97.90 %  2.1 s\n");
  expect(written).toContain("loss …");
});
