/** Running sums along an axis. */
import { bytesPerElement, computeDType, type DType, type IndexedKernel, type Program } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import { type Expression, type FunctionBuilder, i32, type Local } from "../emit/index.ts";
import type { Features } from "../features.ts";
import { type Lanes, scalarLanes, type Vector } from "../lanes/index.ts";
import { type CompiledKernel, taskCount } from "../launch.ts";
import { binaryOperation } from "../operations/index.ts";
import { loadVector, storeVector } from "../storage/index.ts";
import { taskShare } from "./taskShare.ts";

type CumSum = Extract<IndexedKernel, { kind: "cumSum" }>;

/** Neighbours whose sums run along together: an offset from the first, and how many, at most a vector. */
interface Piece {
  /** In elements. */
  readonly offset: number;
  readonly count: number;
}

/**
 * What runs along the axis at once. One sum would wait for each of its additions; several fill the time, and neighbours
 * (where the axis is not the last one) use a cache line whole.
 */
interface Bundles {
  /** Of a bundle, and of one at the end that is smaller; empty where there is none. */
  readonly whole: readonly Piece[];
  readonly rest: readonly Piece[];
  readonly vector: boolean;
  /** Bundles lie in rows of so many, the smaller one last; elements from one to the next, and from a row to the next. */
  readonly perRow: number;
  readonly step: number;
  readonly rowStep: number;
  readonly units: number;
}

/** Rows of the last axis summed at a time. */
const rowsAtOnce = 4;

function bundlesOf({ outer, size, inner }: CumSum, width: number, simd: boolean): Bundles {
  const alone = (count: number, apart: number): Piece[] =>
    Array.from({ length: count }, (_, i) => ({ offset: i * apart, count: 1 }));
  if (inner === 1) {
    const perRow = Math.ceil(outer / rowsAtOnce);
    return {
      whole: alone(Math.min(outer, rowsAtOnce), size),
      rest: outer > rowsAtOnce ? alone(outer % rowsAtOnce, size) : [],
      vector: false,
      perRow,
      step: rowsAtOnce * size,
      rowStep: 0,
      units: perRow,
    };
  }
  const lanes = simd && inner >= 4 ? 4 : 1;
  // A cache line, or what there are registers for: float32 sums take two each.
  const step = Math.min(inner, lanes === 1 ? 4 : Math.min(16, 64 / width));
  const pieces = (elements: number): Piece[] =>
    Array.from({ length: Math.ceil(elements / lanes) }, (_, i) => ({
      offset: i * lanes,
      count: Math.min(lanes, elements - i * lanes),
    }));
  const perRow = Math.ceil(inner / step);
  const whole = pieces(step);
  return {
    whole,
    rest: pieces(inner % step),
    vector: lanes > 1,
    perRow,
    step,
    rowStep: size * inner,
    units: outer * perRow,
  };
}

export function compileCumSum(kernel: CumSum, program: Program, features: Features): CompiledKernel {
  const { outer, size, inner, input, output } = kernel;
  if (outer * size * inner === 0) return { launches: [], scratchBytes: 0 };
  const [from, to] = [input, output].map((buffer) => program.buffers[buffer]?.dtype) as [DType, DType];
  const bundles = bundlesOf(kernel, bytesPerElement(from), features.simd);
  const tasks = taskCount(bundles.units, (outer * size * inner * (bundles.vector ? 2 : 6)) / bundles.units);
  return {
    launches: [
      {
        key: JSON.stringify(["cumSum", from, to, outer, size, inner]),
        pointers: [input, output].map((buffer) => ({ kind: "buffer", buffer })),
        tasks,
        build: (f, code) => writeCumSum(f, code, { from, to, size, inner, bundles, tasks }),
      },
    ],
    scratchBytes: 0,
  };
}

interface Plan {
  readonly from: DType;
  readonly to: DType;
  readonly size: number;
  readonly inner: number;
  readonly bundles: Bundles;
  readonly tasks: number;
}

function writeCumSum(f: FunctionBuilder, code: Code, plan: Plan): void {
  const { bundles, from, to, tasks } = plan;
  const { whole, rest, perRow, units, step, rowStep } = bundles;
  const lanes = bundles.vector ? code.lanes(f) : scalarLanes(f);
  const share = taskShare(f, f.parameter(2, "i32"), units, tasks);
  const unit = f.local("i32");
  f.for(unit, share.from, share.to, 1, () => {
    const place = f.let(i32.remU(unit, perRow));
    const element = f.let(i32.add(i32.mul(i32.divU(unit, perRow), rowStep), i32.mul(place, step)));
    const address = (parameter: number, dtype: DType): Expression<"i32"> =>
      i32.add(f.parameter(parameter, "i32"), i32.mul(element, bytesPerElement(dtype)));
    const [input, output] = [address(0, from), address(1, to)].map((start) => {
      const local = f.local("i32");
      f.set(local, start);
      return local;
    }) as [Local<"i32">, Local<"i32">];
    const sum = (pieces: readonly Piece[]): void => sumAlong(code, lanes, pieces, plan, input, output);
    if (rest.length === 0) sum(whole);
    else
      f.if(
        i32.ltU(place, perRow - 1),
        () => sum(whole),
        () => sum(rest),
      );
  });
}

/** Sums of the pieces along the whole axis, from these addresses, which are used up. */
function sumAlong(
  code: Code,
  lanes: Lanes,
  pieces: readonly Piece[],
  { from, to, size, inner }: Plan,
  input: Local<"i32">,
  output: Local<"i32">,
): void {
  const { f } = lanes;
  const [read, written] = [bytesPerElement(from), bytesPerElement(to)];
  const sums = pieces.map(() => zeros(lanes, from));
  f.for(f.local("i32"), 0, size, 1, () => {
    pieces.forEach(({ offset, count }, i) => {
      const sum = sums[i] as Sum;
      const element = widened(lanes, loadVector(lanes, from, input, offset * read, count));
      const next = binaryOperation(code, lanes, "add", sum, element);
      next.parts.forEach((part, p) => {
        f.set(sum.parts[p] as Local, part);
      });
      storeVector(lanes, to, output, offset * written, narrowed(lanes, from, sum), count);
    });
    f.set(input, i32.add(input, inner * read));
    f.set(output, i32.add(output, inner * written));
  });
}

interface Sum extends Vector {
  readonly parts: readonly Local[];
}

/** What running sums of `from` are kept in: float32 in float64, so that an error does not run along with them. */
function zeros(lanes: Lanes, from: DType): Sum {
  const { f } = lanes;
  const compute = computeDType(from);
  const float = compute === "float32" || compute === "float64";
  const zero = float ? lanes.f64.constant(0) : lanes.i32.constant(0);
  const parts = Array.from({ length: float ? lanes.wideParts : 1 }, () => {
    const local = f.local(zero.type);
    f.set(local, zero);
    return local;
  });
  return { dtype: float ? "float64" : compute, parts };
}

function widened(lanes: Lanes, value: Vector): Vector {
  if (value.dtype !== "float32") return value;
  return { dtype: "float64", parts: lanes.widen(value.parts[0] as Local) };
}

function narrowed(lanes: Lanes, from: DType, sum: Vector): Vector {
  if (computeDType(from) !== "float32") return sum;
  return { dtype: "float32", parts: [lanes.f.let(lanes.narrow(sum.parts))] };
}
