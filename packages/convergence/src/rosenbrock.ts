/** Rosenbrock's valley: f(x, y) = (1 - x)² + 100 (y - x²)², from (-1.2, 1) to its one minimum, 0 at (1, 1). */
import { add, compile, mul, Parameter, slice, square, sub, sum, type Tensor, tensor } from "@thalweg/core";
import type { Problem } from "./problem.ts";

/** f of the two numbers of `p`. */
export const valley = (p: Tensor): Tensor => {
  const [x, y] = [slice(p, { axis: 0, end: 1 }), slice(p, { axis: 0, start: 1 })];
  return sum(add(square(sub(1, x)), mul(100, square(sub(y, square(x))))));
};

export const rosenbrock = (steps: number): Problem => ({
  kind: "rosenbrock",
  name: `Rosenbrock, ${steps} steps`,
  target: { quantity: "f", value: 1e-2, better: "below" },
  async solve(make) {
    const p = new Parameter(tensor([-1.2, 1]), { name: "p" });
    const optimizer = make([p], steps);
    const step = compile(() => optimizer.minimize(valley(p)));
    for (let i = 0; i < steps; i++) step();
    optimizer.eval();
    return valley(p).item();
  },
});
