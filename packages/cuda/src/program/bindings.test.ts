import type { Program } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import type { Argument } from "../kernel/launch.ts";
import { Bindings } from "./bindings.ts";
import { layOutState } from "./state.ts";

const buffer = (kind: "input" | "temporary", offset?: number): Program["buffers"][number] => ({
  dtype: "float32",
  size: 4,
  kind,
  ...(offset === undefined ? {} : { offset }),
});

const program: Program = {
  buffers: [buffer("input"), buffer("temporary", 2 ** 33), buffer("input")],
  uniforms: [{ name: "u", dtype: "float32" }],
  kernels: [],
  arenaBytes: 2 ** 34,
};

const table: Extract<Argument, { kind: "table" }> = {
  kind: "table",
  buffers: [2, 1],
  constants: [-5, 2 ** 40 + 3, 0],
};
const launches: { kernel: number; arguments: readonly Argument[] }[] = [
  {
    kernel: 0,
    arguments: [{ kind: "buffer", buffer: 0, offset: 8 }, { kind: "number", value: -1 }, { kind: "status" }],
  },
  { kernel: 1, arguments: [table, { kind: "scratch", offset: 16 }, { kind: "uniforms" }] },
  {
    kernel: 1,
    arguments: [
      { kind: "buffer", buffer: 1 },
      { kind: "counters", offset: 4 },
    ],
  },
];

it("keeps arguments and tables up to date, and tells which of them changed", () => {
  const source = { kind: "kernel", source: "", grid: [1, 1, 1], block: [1, 1, 1], sharedBytes: 0 } as const;
  const layout = layOutState(program, [
    { launches: [{ ...source, arguments: launches[0]?.arguments ?? [] }], scratchBytes: 0, counterBytes: 8 },
    { launches: launches.slice(1).map((launch) => ({ ...source, ...launch })), scratchBytes: 64, counterBytes: 8 },
  ]);
  const state = 2 ** 46;
  const bindings = new Bindings({ program, launches, layout, state, scratchOffsets: [0, 256] });
  const changed = (): { launches: number[]; tables: number[] } => {
    const lists = { launches: [] as number[], tables: [] as number[] };
    bindings.changedLaunches.pass((launch) => lists.launches.push(launch));
    bindings.changedTables.pass((index) => lists.tables.push(index));
    return { launches: lists.launches.sort(), tables: lists.tables };
  };
  const words = (): number[] => [...new BigInt64Array(bindings.tables[0]?.bytes.buffer as ArrayBuffer)].map(Number);
  const [a, b, arena, scratch] = [2 ** 45 + 256, 2 ** 45 + 512, 2 ** 44 + 2 ** 32 - 256, 2 ** 43];
  bindings.move(bindings.arena, arena);
  bindings.move(bindings.scratch, scratch);
  bindings.moveBuffers(Float64Array.of(a, b));
  expect(changed()).toEqual({ launches: [0, 1, 2], tables: [0] });
  const [tableOffset, counters] = [layout.tables[0]?.offset as number, layout.counters[1] as number];
  expect(bindings.values).toEqual([
    [a + 8, -1, state],
    [state + tableOffset, scratch + 256 + 16, state + 32],
    [arena + 2 ** 33, state + counters + 4],
  ]);
  expect(words()).toEqual([b, arena + 2 ** 33, -5, 2 ** 40 + 3, 0]);

  bindings.moveBuffers(Float64Array.of(a, b));
  expect(changed()).toEqual({ launches: [], tables: [] });
  bindings.moveBuffers(Float64Array.of(b, a));
  expect([bindings.values[0]?.[0], words()[0]]).toEqual([b + 8, a]);
  // What could not be passed on is asked for again.
  const fail = (): never => {
    throw new Error("no");
  };
  expect(() => bindings.changedLaunches.pass(fail)).toThrow("no");
  expect(changed()).toEqual({ launches: [0], tables: [0] });
  bindings.move(bindings.arena, arena + 256);
  expect(changed()).toEqual({ launches: [2], tables: [0] });
});
