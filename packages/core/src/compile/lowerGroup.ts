/** One group of units as one kernel of the Program. */
import type { Epilogue, IndexedKernel, Kernel, Operand } from "../backend/program.ts";
import { simplifyLoop } from "../backend/simplifyLoop.ts";
import { computeDType } from "../graph/dtype.ts";
import type { Node } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { BodyBuilder, type BodyContext, CutRequest } from "./body.ts";
import { Frame, hasInner } from "./domain.ts";
import type { Group } from "./fuse.ts";
import { isBufferLeaf, isOpaque, type Partition } from "./partition.ts";
import { isReduce } from "./simplify.ts";

/** Where things are, as the Program numbers them. */
export interface Locations {
  readonly bufferOf: (node: Node) => number;
  /** Buffers a unit or contraction is written to; none when it never leaves its kernel. */
  readonly targets: (node: Node) => readonly number[];
  readonly uniformOf: (node: Node) => number;
}

/** The group's kernel; undefined when its iteration space is empty and nothing would run. */
export function lowerGroup(group: Group, partition: Partition, locations: Locations): Kernel | undefined {
  if (group.kind === "loop") return lowerLoop(group, partition, locations);
  const node = group.opaque as Node;
  if (sizeOf(node.shape) === 0 && node.op !== "scatterAdd") return undefined;
  if (group.kind === "contraction") return lowerContraction(group, node, partition, locations);
  return lowerIndexed(node, partition, locations);
}

function lowerLoop(group: Group, partition: Partition, locations: Locations): Kernel | undefined {
  const factors = group.domain.shape.map((n) => [n]);
  for (;;) {
    const frame = new Frame(group.domain, factors);
    if (frame.outer.some((v) => v.size === 0)) return undefined;
    if (group.domain.shape.some((n, i) => n === 0 && !group.domain.reduced[i])) return undefined;
    const members = new Set(group.members);
    const body = new BodyBuilder({ ...locations, partition, frame, members });
    try {
      emitStages(group, body, frame, partition);
    } catch (error) {
      if (!(error instanceof CutRequest)) throw error;
      const { axis, factor } = frame.origin.get(error.variable) as { axis: number; factor: number };
      (factors[axis] as number[]).splice(factor, 1, error.variable.size / error.divisor, error.divisor);
      continue;
    }
    const outer = frame.outer.map((v) => v.size);
    const inner = frame.inner.map((v) => v.size);
    const segment = { size: outer.reduce((a, b) => a * b, 1), buffers: body.buffers };
    const kernel = {
      kind: "loop",
      label: labelOf(group),
      outer,
      inner,
      stages: body.stages,
      segments: [segment],
    } as const;
    return { ...kernel, ...simplifyLoop(kernel) };
  }
}

/**
 * Puts every member in a stage: a reduction, or a map over the full space, runs in the inner stage after the last
 * reduction it depends on; outer values follow the stage that completes them.
 */
function emitStages(group: Group, body: BodyBuilder, frame: Frame, partition: Partition): void {
  if (!hasInner(group.domain)) {
    body.outerStage(group.members);
    return;
  }
  const stage = new Map<Node, number>();
  const level = (unit: Node) => frame.place(unit)?.level;
  for (const unit of group.members) {
    let own = level(unit) === "outer" ? 0 : 1;
    for (const read of partition.reads(unit)) {
      const before = stage.get(read);
      if (before === undefined) continue;
      const passes = level(unit) === "outer" || level(read) === "full";
      own = Math.max(own, passes ? before : before + 1);
    }
    stage.set(unit, own);
  }
  const last = Math.max(...stage.values());
  for (let s = 0; s <= last; s++) {
    const here = group.members.filter((unit) => stage.get(unit) === s);
    const inner = here.filter((unit) => level(unit) !== "outer");
    const outer = here.filter((unit) => level(unit) === "outer");
    if (inner.length > 0) body.innerStage(inner);
    if (outer.length > 0) body.outerStage(outer);
  }
}

function describe(node: Node): string {
  if (node.op === "constant") return "fill";
  return isBufferLeaf(node) || isOpaque(node) ? "copy" : node.op;
}

/** What a kernel does, from the operations of its units and what they compute inline last. */
function labelOf(group: Group): string {
  const names = group.members.map((unit) => {
    if (isReduce(unit.op) || unit === group.opaque) return unit.op;
    let shown = unit;
    while (
      (shown.op === "barrier" || shown.op === "reshape" || shown.op === "expand" || shown.op === "permute") &&
      shown.inputs[0]
    ) {
      shown = shown.inputs[0] as Node;
      if (group.members.includes(shown)) return "";
    }
    return describe(shown);
  });
  return [...names.filter((name) => name !== "")].slice(0, 8).join(" · ") || "copy";
}

function epilogue(group: Group, node: Node, partition: Partition, locations: Locations): Epilogue {
  const frame = new Frame(group.domain, undefined, true);
  const members = new Set(group.members.filter((m) => m !== node));
  const position = frame.table.linear(node.shape, frame.axes());
  const accumulator = { node, position };
  const context: BodyContext = { ...locations, partition, frame, members, accumulator };
  const body = new BodyBuilder(context);
  if (locations.targets(node).length > 0) body.storeAccumulator(node, position);
  body.outerStage([...members]);
  return { body: body.stages.flatMap((stage) => stage.body), buffers: body.buffers };
}

function lowerContraction(group: Group, node: Node, partition: Partition, locations: Locations): Kernel {
  const dtype = computeDType(node.dtype);
  const label = labelOf(group);
  const tail = epilogue(group, node, partition, locations);
  const [first, second] = node.inputs as [Node, Node];
  if (node.op === "matmul") {
    const rank = node.shape.length;
    return {
      kind: "matmul",
      label,
      dtype,
      batch: node.shape.slice(0, rank - 2),
      m: node.shape[rank - 2] as number,
      n: node.shape[rank - 1] as number,
      k: first.shape[rank - 1] as number,
      a: operand(first, partition, locations),
      b: operand(second, partition, locations),
      epilogue: tail,
    };
  }
  if (node.op !== "conv2d" && node.op !== "conv2dInputGradient" && node.op !== "conv2dWeightGradient") {
    throw new TypeError(`not a contraction: ${node.op}`);
  }
  type Shape4 = readonly [number, number, number, number];
  const [x, weight, y] = {
    conv2d: [first.shape, second.shape, node.shape],
    conv2dInputGradient: [node.shape, second.shape, first.shape],
    conv2dWeightGradient: [first.shape, node.shape, second.shape],
  }[node.op] as unknown as [Shape4, Shape4, Shape4];
  const buffer = (input: Node): number => locations.bufferOf(partition.contiguousBase(input));
  const { stride, padding, dilation, groups } = node.attributes;
  const geometry = { stride, padding, dilation, groups };
  return { kind: node.op, label, dtype, geometry, x, weight, y, a: buffer(first), b: buffer(second), epilogue: tail };
}

function operand(node: Node, partition: Partition, locations: Locations): Operand {
  const view = partition.stridedView(node);
  if (!view) throw new TypeError(`operand ${node.op} is not a strided view`);
  return { buffer: locations.bufferOf(view.base), offset: view.offset, strides: view.strides };
}

function lowerIndexed(node: Node, partition: Partition, locations: Locations): IndexedKernel | undefined {
  const input = node.inputs[0] as Node;
  if (node.op === "scatterAdd") {
    const [target, index, source] = node.inputs as [Node, Node, Node];
    if (sizeOf(index.shape) === 0) return undefined;
    return {
      kind: "scatterAdd",
      label: "scatterAdd",
      axis: node.attributes.axis,
      targetShape: target.shape,
      shape: index.shape,
      target: locations.bufferOf(target),
      index: operand(index, partition, locations),
      source: operand(source, partition, locations),
    };
  }
  if (node.op !== "cumSum" && node.op !== "argSort") throw new TypeError(`not an indexed operation: ${node.op}`);
  const { axis } = node.attributes;
  const around = {
    label: node.op,
    outer: sizeOf(node.shape.slice(0, axis)),
    size: node.shape[axis] as number,
    inner: sizeOf(node.shape.slice(axis + 1)),
    input: locations.bufferOf(partition.contiguousBase(input)),
    output: locations.bufferOf(node),
  };
  if (node.op === "cumSum") return { kind: "cumSum", ...around };
  return { kind: "argSort", ...around, descending: node.attributes.descending };
}
