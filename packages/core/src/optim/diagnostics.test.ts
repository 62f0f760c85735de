import { beforeAll, describe, expect, it } from "vitest";
import { programStatistics, referenceBackend } from "../backend/index.ts";
import { cast, compile, mul, Parameter, sum, type Tensor, tensor, useBackend } from "../index.ts";
import {
  adamW,
  adaptiveClip,
  clipGradNorm,
  clipGradValue,
  type DiagnosticNumbers,
  freeze,
  type GradientTransform,
  sam,
  sgd,
  type UpdateDiagnostics,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const data = (...values: number[]) => tensor(values, { dtype: "float64" });
const parameter = (name: string, ...values: number[]) => new Parameter(data(...values), { name });

const read = ({ gradientNorm, updateNorm, updateToWeight, fractionClipped }: DiagnosticNumbers) =>
  [gradientNorm, updateNorm, updateToWeight, fractionClipped].map((x) => x.itemSync());

describe.each([false, true])("diagnostics, compiled: %s", (compiled) => {
  it("of an update with given gradients, by hand", () => {
    const [p, q] = [parameter("p", 3, 4), parameter("q", 0)];
    const optimizer = sgd(
      [
        { parameters: [p], name: "first" },
        { parameters: [q], lr: 1, name: "second" },
      ],
      { lr: 0.5, transforms: [clipGradValue(4)] },
    );
    const update = (g: Tensor, h: Tensor) => {
      let diagnostics: UpdateDiagnostics | undefined;
      optimizer.update([g, h], {
        onDiagnostics: (given) => {
          diagnostics = given;
        },
      });
      return diagnostics as UpdateDiagnostics;
    };
    const step = compiled ? compile(update) : update;
    const { groups, ...whole } = step(data(6, 0), data(-8));
    expect([...p.dataSync(), ...q.dataSync()]).toEqual([1, 4, 4]);
    // Of three elements two were clipped; p moved by (-2, 0), q by 4 from 0.
    expect(read(whole)).toEqual([10, Math.sqrt(20), Math.sqrt(20) / 5, 2 / 3]);
    expect(read(groups.first as DiagnosticNumbers)).toEqual([6, 2, 2 / 5, 1 / 2]);
    expect(read(groups.second as DiagnosticNumbers)).toEqual([8, 4, Number.POSITIVE_INFINITY, 1]);
    const next = step(data(0, 0), data(0));
    expect(read(next)).toEqual([0, 0, 0, 0]);
  });

  it("of minimize, beside a loss and a result that are the same as without", () => {
    const run = (diagnosed: boolean) => {
      const [p, frozen] = [parameter("p", 1, -2, 0.5), parameter("frozen", 7)];
      const transforms = [freeze("frozen"), clipGradNorm(1.5)];
      const optimizer = adamW([p, frozen], { lr: 0.1, transforms });
      const loss = (x: Tensor) => sum(mul(mul(p, p), mul(x, sum(frozen))));
      const build = (x: Tensor): { loss: Tensor; diagnostics?: UpdateDiagnostics } =>
        diagnosed ? optimizer.minimizeWithDiagnostics(loss(x)) : { loss: optimizer.minimize(loss(x)) };
      const step = compiled ? compile(build) : build;
      const seen: number[] = [];
      const told: number[][] = [];
      for (let t = 0; t < 4; t++) {
        const before = [...p.dataSync()];
        const { loss, diagnostics } = step(data(1, 0.01 * t, 0));
        const after = [...p.dataSync()];
        seen.push(loss.itemSync(), ...after);
        if (!diagnostics) continue;
        const moved = Math.hypot(...after.map((value, i) => value - (before[i] as number)));
        const gradientNorm = Math.hypot(14 * (before[0] as number), 0.14 * t * (before[1] as number));
        told.push(read(diagnostics));
        expect(diagnostics.gradientNorm.itemSync()).toBeCloseTo(gradientNorm, 12);
        expect(diagnostics.updateNorm.itemSync()).toBeCloseTo(moved, 12);
        expect(diagnostics.updateToWeight.itemSync()).toBeCloseTo(moved / Math.hypot(...before), 12);
        expect(diagnostics.fractionClipped.itemSync()).toBe(1);
      }
      expect(told.length).toBe(diagnosed ? 4 : 0);
      expect(frozen.itemSync()).toBe(7);
      return seen;
    };
    expect(run(true)).toEqual(run(false));
  });

  it("of a rule that looks at the loss twice are those of the second gradient", () => {
    const p = parameter("p", 2);
    const optimizer = sam(sgd([p], { lr: 0.5 }), { rho: 1 });
    const build = () => optimizer.minimizeWithDiagnostics(sum(mul(p, p)));
    const { loss, diagnostics } = compiled ? compile(build)() : build();
    expect(loss.itemSync()).toBe(4);
    expect(diagnostics.gradientNorm.itemSync()).toBeCloseTo(6, 10);
    expect(p.itemSync()).toBeCloseTo(-1, 10);
  });

  it("are of parameters in 16 bits as they are stored", () => {
    const p = new Parameter(cast(tensor([1]), "bfloat16"), { name: "p" });
    const optimizer = sgd([p], { lr: 1 });
    const build = () => optimizer.minimizeWithDiagnostics(sum(mul(cast(p, "float32"), 1e-4)));
    const { diagnostics } = compiled ? compile(build)() : build();
    expect(diagnostics.updateNorm.itemSync()).toBe(0);
    expect(diagnostics.gradientNorm.itemSync()).toBeGreaterThan(0);
  });
});

it("diagnostics cost no kernel that waits for another run: all is in the step's one Program", () => {
  const p = parameter("p", 1, 2);
  const optimizer = adamW([p]);
  const plain = compile((x: Tensor) => optimizer.minimize(sum(mul(p, x))));
  const told = compile((x: Tensor) => optimizer.minimizeWithDiagnostics(sum(mul(p, x))));
  const kernels = [plain, told].map((step) => programStatistics(step.program(data(1, 2))).kernels);
  expect((kernels[1] as number) - (kernels[0] as number)).toBeLessThanOrEqual(4);
});

it("fractionClipped counts an element once, and a unit of adaptiveClip as its elements", () => {
  const fraction = (transforms: GradientTransform[], gradient: number[][]): number => {
    const p = new Parameter(tensor(gradient, { dtype: "float64" }), { name: "p" });
    const { diagnostics } = sgd([p], { lr: 0, transforms }).minimizeWithDiagnostics(
      sum(mul(p, tensor(gradient, { dtype: "float64" }))),
    );
    return diagnostics.fractionClipped.itemSync();
  };
  const rows = [
    [8, 4.5, 1],
    [0, 0, 0],
  ];
  expect(fraction([clipGradValue(5), clipGradValue(4)], rows)).toBeCloseTo(2 / 6, 12);
  // The second row is as long as the limit for zeros, eps, lets it be.
  expect(fraction([adaptiveClip({ clipFactor: 0.5 })], rows)).toBeCloseTo(3 / 6, 12);
  expect(fraction([adaptiveClip({ clipFactor: 0.5 }), clipGradNorm(1e-9)], rows)).toBe(1);
  expect(fraction([clipGradNorm(1)], [[], []])).toBe(0);
});
