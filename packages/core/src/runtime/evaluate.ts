/**
 * Running graphs: realising a tensor when its elements are asked for, and updating parameters in place. Programs are
 * cached by structure, so building the same graph again costs no compilation.
 */
import type { Backend, BufferHandle, Executable } from "../backend/backend.ts";
import type { Program } from "../backend/program.ts";
import type { Assignment } from "../compile/assignments.ts";
import { compileGraph } from "../compile/compileGraph.ts";
import { DTypeError, LifetimeError, ShapeError, ThalwegError } from "../graph/errors.ts";
import { type LeafSource, makeNode, type Node, topologicalOrder } from "../graph/node.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { substitute } from "../graph/substitute.ts";
import { currentBackend } from "./backend.ts";
import { currentTrace } from "./context.ts";
import { meantBy } from "./failures.ts";
import { Storage } from "./storage.ts";
import { structureOf } from "./structure.ts";

/** What a non-temporary buffer of a Program is bound to. */
export type Slot =
  | { readonly kind: "source"; readonly index: number }
  | { readonly kind: "argument"; readonly index: number }
  | { readonly kind: "output"; readonly index: number };

export interface Prepared {
  readonly executable: Executable;
  readonly program: Program;
  readonly slots: readonly Slot[];
  /** For each uniform of the Program, which of the structure's uniforms it is. */
  readonly uniforms: readonly number[];
}

const cacheLimit = 1024;
const caches = new WeakMap<Backend, Map<string, Prepared>>();
const realized = new WeakMap<Node, { readonly storage: Storage; readonly leaf: Node }>();

/** Remembers that `node`'s value is in `storage`. */
function markRealized(node: Node, storage: Storage): void {
  const leaf = makeNode("data", [], { source: storage }, storage.shape, storage.dtype);
  realized.set(node, { storage, leaf });
}

/** The memory of a node's value as a leaf without history, if the value has been computed. */
export const realizedLeaf = (node: Node): Node | undefined => realized.get(node)?.leaf;

/** The same graph with everything already computed replaced by its memory. */
export const withRealized = (roots: readonly Node[]): Node[] =>
  substitute(roots, (node) => {
    const known = realized.get(node);
    return known && !known.storage.disposed ? known.leaf : undefined;
  });

/** The Program of a graph on a backend, compiled at most once per structure. */
export function prepare(
  backend: Backend,
  outputs: readonly Node[],
  assignments: readonly Assignment[],
  nameOf?: (s: LeafSource) => string | undefined,
) {
  const structure = structureOf(outputs, assignments);
  let cache = caches.get(backend);
  if (!cache) {
    cache = new Map();
    caches.set(backend, cache);
  }
  let prepared = cache.get(structure.key);
  if (prepared) {
    cache.delete(structure.key);
  } else {
    const { kernels } = backend.capabilities;
    const compiled = compileGraph({ outputs, assignments, kernels, ...(nameOf ? { nameOf } : {}) });
    const slots = compiled.bindings.map((binding): Slot => {
      if (binding.kind === "output") return { kind: "output", index: binding.output };
      if (binding.kind === "target")
        return {
          kind: "source",
          index: structure.sources.indexOf((assignments[binding.assignment] as Assignment).target),
        };
      const { node } = binding;
      if (node.op === "placeholder") return { kind: "argument", index: node.attributes.index };
      if (node.op !== "data" && node.op !== "parameter") throw new TypeError(`a ${node.op} node is no memory`);
      return { kind: "source", index: structure.sources.indexOf(node.attributes.source) };
    });
    const uniforms = compiled.uniforms.map((node) => structure.uniforms.indexOf(node));
    prepared = { executable: backend.compile(compiled.program), program: compiled.program, slots, uniforms };
    if (cache.size >= cacheLimit) cache.delete(cache.keys().next().value as string);
  }
  cache.set(structure.key, prepared);
  return { prepared, structure };
}

/** Computes `outputs` and performs `assignments` in one Program; returns the outputs' memory. */
function evaluate(outputs: readonly Node[], assignments: readonly Assignment[]): Storage[] {
  const backend = currentBackend();
  const roots = withRealized([...outputs, ...assignments.map((a) => a.value)]);
  checkLeaves(roots);
  const values = roots.slice(outputs.length);
  const updates = assignments.map(({ target }, i) => ({ target, value: values[i] as Node }));
  const { prepared, structure } = prepare(backend, roots.slice(0, outputs.length), updates);
  const results = outputs.map((node) => Storage.allocate(backend, node.shape, node.dtype));
  const handles = prepared.slots.map((slot): BufferHandle => {
    if (slot.kind === "output") return (results[slot.index] as Storage).handleOn(backend);
    if (slot.kind === "source") return (structure.sources[slot.index] as Storage).handleOn(backend);
    throw new ThalwegError("tensor", "an argument of a compiled function was used outside it");
  });
  const uniforms = prepared.uniforms.map((index) => {
    const node = structure.uniforms[index] as Node;
    return node.op === "uniform" ? node.attributes.uniform.value() : 0;
  });
  try {
    backend.run(prepared.executable, handles, uniforms);
  } catch (error) {
    // Nobody will see them.
    for (const storage of results) storage.dispose();
    throw meantBy(error);
  }
  for (const { target } of assignments) (target as Storage).version++;
  return results;
}

function checkLeaves(roots: readonly Node[]): void {
  for (const node of topologicalOrder(roots)) {
    if (node.op === "placeholder") {
      throw new ThalwegError(
        "compile",
        "a tensor was read inside a compiled function; return it instead and read the result",
      );
    }
    if (node.op === "parameter" && node.attributes.version !== (node.attributes.source as Storage).version) {
      throw new LifetimeError(
        "tensor",
        "built from a parameter that has been updated since; evaluate it (await t.data()) before the update, or build it again",
      );
    }
  }
}

/** The memory that holds a node's value, computed now unless it already was. Not to be written. */
export function realize(node: Node): Storage {
  const known = realized.get(node);
  if (known) return known.storage;
  if (node.op === "data") return node.attributes.source as Storage;
  if (node.op === "parameter") {
    checkLeaves([node]);
    return node.attributes.source as Storage;
  }
  const [storage] = evaluate([node], []) as [Storage];
  markRealized(node, storage);
  return storage;
}

/** Frees the memory of a node's value, if it has been computed; a parameter's stays. */
export function releaseValue(node: Node): void {
  const known = realized.get(node);
  if (known) known.storage.dispose();
  else if (node.op === "data") (node.attributes.source as Storage).dispose();
}

/** Memory of its own with a node's value: the start of a parameter. */
export function realizeOwned(node: Node): Storage {
  return evaluate([node], [])[0] as Storage;
}

/**
 * Writes new values over parameters, all or nothing and as if at once; `also` is computed in the same Program and thereby
 * realised. Inside a trace the updates are recorded instead. Throws ShapeError or DTypeError before anything changes.
 */
export function assignAll(pairs: readonly (readonly [Storage, Node])[], also: readonly Node[] = []): void {
  for (const [target, value] of pairs) {
    if (!sameShape(target.shape, value.shape)) {
      throw new ShapeError("assign", `expected shape ${formatShape(target.shape)}, got ${formatShape(value.shape)}`);
    }
    if (target.dtype !== value.dtype) throw new DTypeError("assign", `expected ${target.dtype}, got ${value.dtype}`);
  }
  const trace = currentTrace();
  if (trace) {
    // What a parameter was given is its value, not its history: as outside a trace, no derivative passes an update.
    for (const [target, value] of pairs) {
      trace.assigned.set(target, makeNode("stopGradient", [value], {}, value.shape, value.dtype));
    }
    return;
  }
  const fresh = also.filter((node) => !realized.has(node) && node.op !== "data" && node.op !== "parameter");
  const results = evaluate(
    fresh,
    pairs.map(([target, value]) => ({ target, value })),
  );
  for (const [i, node] of fresh.entries()) markRealized(node, results[i] as Storage);
}
