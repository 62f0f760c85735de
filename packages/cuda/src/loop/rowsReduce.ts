/** The reductions of one stage as text: accumulators of a thread, and how those of a team become one value. */
import { type ComputeDType, type Instruction, type ReduceOp, reduceIdentity } from "@thalweg/core/backend";
import { cType, literal } from "../source/index.ts";
import type { RowPlan } from "./rowsPlan.ts";

export type Reduction = Instruction & { readonly op: "reduce" };

export const isReduction = (instruction: Instruction): instruction is Reduction => instruction.op === "reduce";

const operations: Readonly<Record<ReduceOp, string>> = {
  sum: "Sum",
  prod: "Prod",
  max: "Max",
  min: "Min",
  argMax: "ArgMax",
  argMin: "ArgMin",
};

const bytesOf: Readonly<Record<ComputeDType, number>> = { float32: 4, float64: 8, int32: 4, uint32: 4, bool: 1 };

/** One reduction of a stage, in the threads of its teams. */
export class TeamReduction {
  readonly instruction: Reduction;
  readonly findsPosition: boolean;
  /** C type of an accumulator, and its size in memory. */
  readonly type: string;
  readonly bytes: number;
  readonly operation: string;
  /** What an accumulator starts with. */
  readonly start: string;
  readonly #name: string;
  readonly #plan: RowPlan;

  /** `dtype`: of what is reduced. */
  constructor(instruction: Reduction, dtype: ComputeDType, plan: RowPlan) {
    this.instruction = instruction;
    this.#plan = plan;
    this.#name = `r${instruction.id}`;
    const { fn } = instruction;
    this.findsPosition = fn === "argMax" || fn === "argMin";
    this.operation = operations[fn];
    const value = cType(dtype);
    this.type = this.findsPosition ? `Extreme<${value}>` : value;
    this.bytes = this.findsPosition ? (dtype === "float64" ? 16 : 8) : bytesOf[dtype];
    this.start = this.findsPosition
      ? `extremeAt(${literal(dtype, 0)}, noPosition)`
      : literal(dtype, reduceIdentity(fn, dtype));
  }

  /** Accumulators of a thread: one per lane. */
  accumulator = (lane: number): string => `${this.#name}a${lane}`;

  get #lanes(): readonly number[] {
    return Array.from({ length: this.#plan.width }, (_, lane) => lane);
  }

  declare(): string {
    return this.#lanes.map((lane) => `${this.type} ${this.accumulator(lane)} = ${this.start};`).join("\n");
  }

  reset(): string {
    return this.#lanes.map((lane) => `${this.accumulator(lane)} = ${this.start};`).join("\n");
  }

  /** `position`: of a lane in the inner space. */
  add(values: readonly string[], position: (lane: number) => string): string {
    return values
      .map((value, lane) =>
        this.addTo(this.accumulator(lane), this.findsPosition ? `extremeAt(${value}, ${position(lane)})` : value),
      )
      .join("\n");
  }

  addTo(accumulator: string, value: string): string {
    return `${accumulator} = ${this.operation}::combine(${accumulator}, ${value});`;
  }

  /** One accumulator for all lanes of a thread, where they are parts of one row: along a tree. */
  #overLanes(): string {
    let lanes = this.#lanes.map((lane) => this.accumulator(lane));
    while (lanes.length > 1) {
      const half = lanes.length / 2;
      lanes = lanes.slice(0, half).map((lane, index) => `${this.operation}::combine(${lane}, ${lanes[index + half]})`);
    }
    return lanes[0] as string;
  }

  /** The accumulators of each of a thread's rows, as far as a warp can put them together. */
  #inWarp(): string[] {
    const { mode, team, teams } = this.#plan;
    const values = mode === "rows" ? [this.#overLanes()] : this.#lanes.map((lane) => this.accumulator(lane));
    const [step, end] = mode === "rows" ? [1, Math.min(team, 32)] : [teams, 32];
    return step >= end || team === 1
      ? values
      : values.map((value) => `reduceLanes<${this.operation}, ${step}, ${end}>(${value})`);
  }

  /** Whether warps have to meet. */
  static crossesWarps({ mode, team, teams }: RowPlan): boolean {
    return mode === "rows" ? team > 32 : team > 1 && team * teams > 32;
  }

  /** Statements before the barrier, and after it; `suffix` tells several rounds apart. */
  combine(suffix: string): { before: string; after: string; names: string[] } {
    const { mode, team, teams, width } = this.#plan;
    const partial = `${this.#name}${suffix}`;
    const inWarp = this.#inWarp();
    const names = inWarp.map((_value, lane) => `${partial}v${lane}`);
    if (!TeamReduction.crossesWarps(this.#plan)) {
      const after = inWarp.map((value, lane) => `const ${this.type} ${names[lane]} = ${value};`).join("\n");
      return { before: "", after, names };
    }
    const warps = (team * teams) / 32;
    if (mode === "rows") {
      const end = 2 ** Math.ceil(Math.log2(warps));
      const slot = `threadIdx.x % ${end}`;
      const read = end === warps ? `${partial}[${slot}]` : `${slot} < ${warps} ? ${partial}[${slot}] : ${this.start}`;
      return {
        before: `__shared__ ${this.type} ${partial}[${warps}];
const ${this.type} ${partial}w = ${inWarp[0]};
if (threadIdx.x % 32 == 0) ${partial}[threadIdx.x / 32] = ${partial}w;`,
        after: `const ${this.type} ${names[0]} = reduceLanes<${this.operation}, 1, ${end}>(${read});`,
        names,
      };
    }
    const line = teams * width;
    const writes = inWarp.map((value, lane) => `const ${this.type} ${partial}w${lane} = ${value};`);
    const places = inWarp.map(
      (_v, lane) => `${partial}[threadIdx.x / 32 * ${line} + ${lane * teams} + team] = ${partial}w${lane};`,
    );
    const reads = names.map((name, lane) => `${this.type} ${name} = ${partial}[${lane * teams} + team];`);
    const sums = names.map((name, lane) => this.addTo(name, `${partial}[w * ${line} + ${lane * teams} + team]`));
    return {
      before: `__shared__ ${this.type} ${partial}[${warps * line}];
${writes.join("\n")}
if (threadIdx.x % 32 < ${teams}) {
${places.join("\n")}
}`,
      after: `${reads.join("\n")}
#pragma unroll
for (int w = 1; w < ${warps}; w++) {
${sums.join("\n")}
}`,
      names,
    };
  }

  /** The value that later stages see, of what `combine` gave. */
  result(name: string): string {
    return this.findsPosition ? `positionOf(${name})` : name;
  }
}
