import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { cosine, cyclic, exponential, oneCycle, step } from "./index.ts";

describe("plots", () => {
  it("show the curve with its numbers at the axes", () => {
    expect(`\n${cyclic({ baseLr: 0.01, maxLr: 0.1, stepSizeUp: 40, mode: "triangular2" })}`).toMatchInlineSnapshot(`
      "
      cyclic({ baseLr: 0.01, maxLr: 0.1, stepSizeUp: 40, mode: "triangular2" })
      0.1 ┤⠀⠀⠀⠀⠀⠀⠀⠀⢀⠔⠳⣄
          │⠀⠀⠀⠀⠀⠀⢀⠔⠁⠀⠀⠈⠳⣄
          │⠀⠀⠀⠀⢀⠔⠁⠀⠀⠀⠀⠀⠀⠈⠳⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⣠⣀
          │⠀⠀⢀⠔⠁⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠢⡀⠀⠀⠀⠀⠀⠀⠀⣠⠴⠚⠉⠀⠀⠉⠒⠤⣀
          │⢀⡴⠋⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⣀⠤⠒⠉⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠙⠲⢤⣀⠀⠀⠀⣀⣀⡤⠴⠒⠚⠉⠉⠉⠑⠒⠢⠤⣄⣀⡀
        0 ┤⠋⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⠉⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠙⠋⠉⠁⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠓
          └────────────────────────────────────────────────────────────
           0                                                   step 240"
    `);
  });

  it("join jumps, and are as large as asked for", () => {
    const schedule = step({ baseLr: 0.1, stepSize: 30, gamma: 0.5 });
    expect(`\n${schedule.plot({ steps: 90, width: 30, height: 4 })}`).toMatchInlineSnapshot(`
      "
      0.1 ┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⡆
          │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⡇
          │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⣆⣀⣀⣀⣀⣀⣀⣀⣀⣀
        0 ┤
          └──────────────────────────────
           0                      step 89"
    `);
  });

  it("start at the lowest value of a curve that stays high", () => {
    const lines = oneCycle({ maxLr: 1, totalSteps: 10 }).momentum?.plot({ height: 3 }).split("\n") as string[];
    expect(lines.map((line) => line.slice(0, 6))).toEqual(["0.95 ┤", "     │", "0.85 ┤", "     └", "      "]);
  });

  it("draw what never changes, also at 0", () => {
    const plot = exponential({ baseLr: 2, gamma: 1 }).plot({ steps: 5, width: 10, height: 2 });
    expect(plot.split("\n").slice(0, 2)).toEqual(["2 ┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉", "0 ┤"]);
    const zero = cosine({ baseLr: 0, tMax: 5 }).plot({ steps: 5, width: 10, height: 2 });
    expect(zero.split("\n").slice(0, 2)).toEqual(["0 ┤", "0 ┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀"]);
  });

  it("are what a schedule prints as, and its call what it is among other things", () => {
    const schedule = cosine({ baseLr: 0.1, decaySteps: 5, convention: "optax" });
    const call = 'cosine({ baseLr: 0.1, decaySteps: 5, convention: "optax" })';
    expect(inspect(schedule)).toBe(String(schedule));
    expect(String(schedule)).toBe(`${call}\n${schedule.plot()}`);
    expect(inspect({ lr: schedule })).toBe(`{ lr: ${call} }`);
    expect(String(oneCycle({ maxLr: 1, totalSteps: 9 }).momentum).split("\n")[0]).toBe(
      "oneCycle({ maxLr: 1, totalSteps: 9 }).momentum",
    );
  });
});
