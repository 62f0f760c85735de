/**
 * Graph → Program: simplify, choose what is stored, fuse, lower each group to a kernel, merge the updates of many
 * parameters into one kernel, share memory, plan the arena.
 */
import type { BufferSpec, Kernel, KernelKind, Program, UniformSpec } from "../backend/program.ts";
import { computeDType, type DType } from "../graph/dtype.ts";
import type { LeafSource, Node } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { planArena, shareInPlace } from "./arena.ts";
import { type Assignment, planInPlace } from "./assignments.ts";
import { barrier } from "./build.ts";
import { type Fusion, fuse } from "./fuse.ts";
import { mapBuffers } from "./kernelBuffers.ts";
import { lowerGroup } from "./lowerGroup.ts";
import { isBufferLeaf, isIndexed, isOpaque } from "./partition.ts";
import { mergeSegments } from "./segments.ts";
import { Simplifier } from "./simplify.ts";

export interface GraphRequest {
  readonly outputs: readonly Node[];
  readonly assignments: readonly Assignment[];
  /** Kernel kinds the backend compiles. */
  readonly kernels: ReadonlySet<KernelKind>;
  /** Names of parameters, for the printer. */
  readonly nameOf?: (source: LeafSource) => string | undefined;
}

/** What each non-temporary buffer of the Program is bound to, in order. */
export type Binding =
  | { readonly kind: "leaf"; readonly node: Node }
  | { readonly kind: "target"; readonly assignment: number }
  | { readonly kind: "output"; readonly output: number };

export interface CompiledGraph {
  readonly program: Program;
  readonly bindings: readonly Binding[];
  /** Uniform nodes, in the Program's order. */
  readonly uniforms: readonly Node[];
}

export function compileGraph(request: GraphRequest): CompiledGraph {
  const simplified = new Simplifier(request.kernels).run([
    ...request.outputs,
    ...request.assignments.map((a) => a.value),
  ]);
  // An indexed kernel writes one place only.
  const written = new Set<Node>();
  const outputs = simplified.slice(0, request.outputs.length).map((root) => {
    if (!isComputed(root) || (isIndexed(root) && written.has(root))) return barrier(root);
    written.add(root);
    return root;
  });
  const assignments = request.assignments.map(({ target }, i) => {
    const root = simplified[request.outputs.length + i] as Node;
    return { target, value: isComputed(root) && !isIndexed(root) ? root : barrier(root) };
  });
  const { fusion, order, values } = fuseWithUpdates(outputs, assignments);
  return new Assembly(
    request,
    outputs,
    assignments.map(({ target }, i) => ({ target, value: values[i] as Node })),
    fusion,
    order,
  ).build();
}

/** Has a kernel of its own that can write to memory given from outside. */
const isComputed = (root: Node): boolean => !isBufferLeaf(root) && root.op !== "scatterAdd";

/** Updates that cannot be in place get a copy at the end; copies stay out of other kernels. */
function fuseWithUpdates(outputs: readonly Node[], assignments: readonly Assignment[]) {
  const values = assignments.map((a) => a.value);
  const isolated = new Set<Node>();
  for (;;) {
    const fusion = fuse([...outputs, ...values], isolated);
    const current = assignments.map(({ target }, i) => ({ target, value: values[i] as Node }));
    const { order, conflicts } = planInPlace(fusion, current);
    if (conflicts.length === 0) return { fusion, order, values };
    for (const conflict of conflicts) {
      const copy = barrier(conflict.value);
      isolated.add(copy);
      values[current.indexOf(conflict)] = copy;
    }
  }
}

class Assembly {
  readonly #request: GraphRequest;
  readonly #outputs: readonly Node[];
  readonly #assignments: readonly Assignment[];
  readonly #fusion: Fusion;
  readonly #order: Fusion["groups"];
  readonly #buffers: BufferSpec[] = [];
  readonly #bindings = new Map<number, Binding>();
  readonly #bySource = new Map<LeafSource, number>();
  readonly #targets = new Map<Node, number[]>();
  readonly #leaves = new Map<Node, number>();
  readonly #uniforms: Node[] = [];

  constructor(
    request: GraphRequest,
    outputs: readonly Node[],
    assignments: readonly Assignment[],
    fusion: Fusion,
    order: Fusion["groups"],
  ) {
    this.#request = request;
    this.#outputs = outputs;
    this.#assignments = assignments;
    this.#fusion = fusion;
    this.#order = order;
  }

  build(): CompiledGraph {
    this.#placeBoundBuffers();
    this.#placeTemporaries();
    const locations = {
      bufferOf: (node: Node): number => this.#bufferOf(node),
      targets: (node: Node): readonly number[] => this.#targets.get(node) ?? [],
      uniformOf: (node: Node): number => this.#uniformOf(node),
    };
    const kernels: Kernel[] = [];
    for (const group of this.#order) {
      const kernel = lowerGroup(group, this.#fusion.partition, locations);
      if (kernel) kernels.push(kernel);
    }
    return this.#finish(mergeSegments(kernels, this.#buffers));
  }

  #add(dtype: DType, size: number, kind: BufferSpec["kind"], name: string | undefined, binding?: Binding): number {
    const index = this.#buffers.length;
    this.#buffers.push({ dtype, size, kind, ...(name ? { name } : {}) });
    if (binding) this.#bindings.set(index, binding);
    return index;
  }

  #placeBoundBuffers(): void {
    const targetsOf = new Set(this.#assignments.map((a) => a.target));
    for (const node of this.#fusion.partition.order) {
      if (!isBufferLeaf(node)) continue;
      const source = node.op === "parameter" || node.op === "data" ? node.attributes.source : undefined;
      const known = source && this.#bySource.get(source);
      const kind = source && targetsOf.has(source) ? "parameter" : node.op === "parameter" ? "parameter" : "input";
      const name =
        (source && this.#request.nameOf?.(source)) ??
        (node.op === "placeholder" ? `argument ${node.attributes.index}` : undefined);
      const buffer = known ?? this.#add(node.dtype, sizeOf(node.shape), kind, name, { kind: "leaf", node });
      if (source) this.#bySource.set(source, buffer);
      this.#leaves.set(node, buffer);
    }
    for (const [index, { target, value }] of this.#assignments.entries()) {
      let buffer = this.#bySource.get(target);
      if (buffer === undefined) {
        const name = this.#request.nameOf?.(target);
        buffer = this.#add(target.dtype, sizeOf(target.shape), "parameter", name, {
          kind: "target",
          assignment: index,
        });
        this.#bySource.set(target, buffer);
      }
      this.#addTarget(value, buffer);
    }
    for (const [output, node] of this.#outputs.entries()) {
      this.#addTarget(node, this.#add(node.dtype, sizeOf(node.shape), "output", undefined, { kind: "output", output }));
    }
  }

  #addTarget(node: Node, buffer: number): void {
    const list = this.#targets.get(node);
    if (list) list.push(buffer);
    else this.#targets.set(node, [buffer]);
  }

  /** Everything some other kernel reads, and everything only an indexed kernel can make, needs memory. */
  #placeTemporaries(): void {
    const { partition, groupOf, groups } = this.#fusion;
    const read = new Set<Node>();
    for (const group of groups) {
      for (const member of group.members) {
        for (const node of partition.reads(member)) if (groupOf.get(node) !== group) read.add(node);
      }
    }
    for (const group of groups) {
      for (const node of group.members) {
        if (node.op === "scatterAdd" || this.#targets.has(node)) continue;
        if (!read.has(node) && !isIndexed(node) && !(isOpaque(node) && group.members.length === 1)) continue;
        this.#addTarget(node, this.#add(node.dtype, sizeOf(node.shape), "temporary", undefined));
      }
    }
  }

  #bufferOf(node: Node): number {
    const leaf = this.#leaves.get(node);
    if (leaf !== undefined) return leaf;
    // A scatter adds into the memory its start value was written to.
    const owner = node.op === "scatterAdd" ? (node.inputs[0] as Node) : node;
    const buffer = this.#targets.get(owner)?.[0];
    if (buffer === undefined) throw new TypeError(`no memory for a ${node.op} node`);
    return buffer;
  }

  #uniformOf(node: Node): number {
    const known = this.#uniforms.indexOf(node);
    if (known >= 0) return known;
    this.#uniforms.push(node);
    return this.#uniforms.length - 1;
  }

  #finish(lowered: readonly Kernel[]): CompiledGraph {
    const { replaced, lives } = shareInPlace(lowered, this.#buffers);
    const { offsets, bytes } = planArena(lives, this.#buffers);
    const kept: number[] = [];
    for (const [index, spec] of this.#buffers.entries()) {
      if (lives.has(index) || spec.kind === "output") kept.push(index);
    }
    const position = new Map(kept.map((buffer, i) => [buffer, i]));
    const buffers = kept.map((index) => {
      const spec = this.#buffers[index] as BufferSpec;
      return spec.kind === "temporary" ? { ...spec, offset: offsets.get(index) as number } : spec;
    });
    const bindings = kept.flatMap((index) => this.#bindings.get(index) ?? []);
    const uniforms: UniformSpec[] = this.#uniforms.map((node) => ({
      name: node.op === "uniform" ? node.attributes.uniform.name : "",
      dtype: computeDType(node.dtype),
    }));
    const program = {
      buffers,
      uniforms,
      kernels: lowered.map((kernel) => mapBuffers(kernel, (b) => position.get(replaced.get(b) ?? b) as number)),
      arenaBytes: bytes,
    };
    return { program, bindings, uniforms: this.#uniforms };
  }
}
