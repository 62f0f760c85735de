/** How a loop kernel is to be written: along which variable lanes lie, what is written out, what becomes tasks. */
import { sizeOf } from "@thalweg/core/backend";
import { taskCount } from "../launch.ts";
import type { Space } from "./space.ts";
import { vectorCost, workOfBody } from "./work.ts";

export interface Plan {
  /** The variable whose neighbours lie in the lanes: an outer one, or the last inner one; -1: none. */
  readonly vector: number;
  /** Vectors along an outer `vector` that are handled together. */
  readonly copies: number;
  /** The outer variables in the order of their loops, outermost first. */
  readonly order: readonly number[];
  /** There are no inner loops, or every iteration of theirs is written out. */
  readonly unrollInner: boolean;
  /** The outer variable that is cut into tasks; -1: none. */
  readonly taskVariable: number;
  readonly tasks: number;
}

const unrollPoints = 32;
/** Operations that may be written out in place of inner loops. */
const unrollWork = 130;

/** Vectors to handle at once, so that a short body is more than its loop's bookkeeping. */
export const copiesFor = (work: number): number => (work <= 8 ? 4 : work <= 26 ? 2 : 1);

interface Candidate {
  readonly vector: number;
  readonly unrollInner: boolean;
  readonly cost: number;
}

const costOfStages = ({ stages }: Space, over: "outer" | "inner", variable: number): number =>
  stages.reduce((sum, stage) => (stage.over === over ? sum + vectorCost(stage.body, variable) : sum), 0);

/** Along the last inner variable: every outer point is a row. */
function rows(space: Space, lanes: number): Candidate {
  const { outer, inner, stages } = space;
  const vector = outer.length + inner.length - 1;
  const size = inner[inner.length - 1] as number;
  const passes = stages.filter(({ over }) => over === "inner").length;
  const reductions = stages.reduce((sum, { body }) => sum + body.filter(({ op }) => op === "reduce").length, 0);
  const perRow =
    (sizeOf(inner) / size) * (Math.ceil(size / lanes) * costOfStages(space, "inner", vector) + 4 * passes) +
    costOfStages(space, "outer", -1) +
    8 * reductions;
  return { vector, unrollInner: false, cost: sizeOf(outer) * perRow };
}

/** Along an outer variable: every lane is an outer point of its own. */
function columns(space: Space, variable: number, lanes: number, unrollInner: boolean): Candidate {
  const size = space.outer[variable] as number;
  const points = sizeOf(space.inner);
  const vectors = (sizeOf(space.outer) / size) * Math.ceil(size / lanes);
  // The loop around the vectors is entered once for every point of the other variables.
  const bookkeeping = (4 * sizeOf(space.outer)) / size + (unrollInner ? 0 : vectors * points);
  const perVector = points * costOfStages(space, "inner", variable) + costOfStages(space, "outer", variable);
  return { vector: variable, unrollInner, cost: vectors * perVector + bookkeeping };
}

function cheapest(space: Space, lanes: number): Candidate {
  const { outer, inner, stages } = space;
  const points = sizeOf(inner);
  const innerWork = stages.reduce((sum, { over, body }) => (over === "inner" ? sum + workOfBody(body) : sum), 0);
  const noLoops = inner.length === 0 || !stages.some(({ over }) => over === "inner") || points === 0;
  const canUnroll = noLoops || (points <= unrollPoints && points * innerWork <= unrollWork);
  let best: Candidate = noLoops
    ? { vector: -1, unrollInner: true, cost: Number.POSITIVE_INFINITY }
    : rows(space, lanes);
  const take = (candidate: Candidate): void => {
    if (candidate.cost < best.cost) best = candidate;
  };
  for (let variable = outer.length - 1; variable >= 0; variable--) {
    if (canUnroll) take(columns(space, variable, lanes, true));
    if (!noLoops) take(columns(space, variable, lanes, false));
  }
  return best;
}

/** Elements that lie so far apart are in different cache lines. */
const farApart = 16;

/**
 * A loop inside the one over vectors along `vector`: the variable whose neighbours are neighbours in memory where those of
 * `vector` are far apart. So every cache line that is touched is used up before long, as in a transposition.
 */
function innermostInstead({ outer, stages }: Space, vector: number): number | undefined {
  const far = stages.flatMap(({ body }) =>
    body.flatMap((instruction) =>
      (instruction.op === "load" || instruction.op === "store") &&
      Math.abs(instruction.at.strides[vector] as number) >= farApart
        ? [instruction.at.strides]
        : [],
    ),
  );
  let best: number | undefined;
  let most = 0;
  for (const [variable, size] of outer.entries()) {
    const count = far.filter((strides) => Math.abs(strides[variable] as number) === 1).length;
    if (variable !== vector && size >= farApart / 2 && count > most) [best, most] = [variable, count];
  }
  return best;
}

/** `lanes`: elements of a vector. */
export function planOf(space: Space, lanes: number): Plan {
  const { outer, inner, stages } = space;
  const { vector, unrollInner } = cheapest(space, lanes);
  const points = sizeOf(inner);
  const work = (over: "outer" | "inner"): number =>
    stages.reduce((sum, stage) => (stage.over === over ? sum + workOfBody(stage.body) : sum), 0);
  const total = sizeOf(outer) * (points * work("inner") + work("outer"));
  let copies = 1;
  let inside: number | undefined;
  if (vector >= 0 && vector < outer.length) {
    inside = unrollInner ? innermostInstead(space, vector) : undefined;
    const wanted =
      inside !== undefined
        ? 4
        : copiesFor(unrollInner ? points * work("inner") + work("outer") : Math.max(work("inner"), work("outer") / 2));
    copies = Math.max(1, Math.min(wanted, Math.floor((outer[vector] as number) / lanes)));
  }
  let taskVariable = -1;
  let tasks = 1;
  for (const [variable, size] of outer.entries()) {
    const units = variable === vector ? Math.floor(size / (lanes * copies)) : size;
    if (units < 2) continue;
    const count = taskCount(units, total / units);
    if (count > tasks) [taskVariable, tasks] = [variable, count];
  }
  const variables = outer.map((_size, variable) => variable);
  const order =
    inside === undefined
      ? variables
      : [...variables.filter((variable) => variable !== vector && variable !== inside), vector, inside];
  return { vector, copies, order, unrollInner, taskVariable, tasks };
}
