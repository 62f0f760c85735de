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

/** Shared memory in which warps meet, for all reductions of a launch, and what it is called. */
export const meetingBytes = 16 * 1024;
export const meetingName = "meeting";

/** How the accumulators of one of a thread's rows become one value. */
export interface CombinePart {
  /** Of the value, which all threads of the team have after. */
  readonly name: string;
  /** Shared memory it needs; 0: warps need not meet. */
  readonly bytes: number;
  /** Statements before the barrier; `place`: byte of the shared memory. */
  readonly before: (place: number) => string;
  /** Statements after it. */
  readonly after: string;
}

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

  /**
   * What makes one value of each row's accumulators, a part for each of the thread's rows; `suffix` tells several rounds
   * apart. Where warps have to meet, each part needs shared memory of its own until all have read what it left there.
   */
  combine(suffix: string): CombinePart[] {
    const { mode, team, teams } = this.#plan;
    const partial = `${this.#name}${suffix}`;
    const inWarp = this.#inWarp();
    if (!TeamReduction.crossesWarps(this.#plan)) {
      return inWarp.map((value, lane) => ({
        name: `${partial}v${lane}`,
        bytes: 0,
        before: () => "",
        after: `const ${this.type} ${partial}v${lane} = ${value};`,
      }));
    }
    const warps = (team * teams) / 32;
    return inWarp.map((value, lane): CombinePart => {
      const [name, own, at] = [`${partial}v${lane}`, `${partial}w${lane}`, `${partial}s${lane}`];
      const begin = (place: number): string => `${this.type}* const ${at} = (${this.type}*)(${meetingName} + ${place});
const ${this.type} ${own} = ${value};\n`;
      if (mode === "rows") {
        const end = 2 ** Math.ceil(Math.log2(warps));
        const slot = `threadIdx.x % ${end}`;
        const read = end === warps ? `${at}[${slot}]` : `${slot} < ${warps} ? ${at}[${slot}] : ${this.start}`;
        return {
          name,
          bytes: warps * this.bytes,
          before: (place) => `${begin(place)}if (threadIdx.x % 32 == 0) ${at}[threadIdx.x / 32] = ${own};`,
          after: `const ${this.type} ${name} = reduceLanes<${this.operation}, 1, ${end}>(${read});`,
        };
      }
      return {
        name,
        bytes: warps * teams * this.bytes,
        before: (place) =>
          `${begin(place)}if (threadIdx.x % 32 < ${teams}) ${at}[threadIdx.x / 32 * ${teams} + team] = ${own};`,
        after: `${this.type} ${name} = ${at}[team];
#pragma unroll
for (int w = 1; w < ${warps}; w++) ${this.addTo(name, `${at}[w * ${teams} + team]`)}`,
      };
    });
  }

  /** The value that later stages see, of what `combine` gave. */
  result(name: string): string {
    return this.findsPosition ? `positionOf(${name})` : name;
  }
}
