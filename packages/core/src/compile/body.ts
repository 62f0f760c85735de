/**
 * Emits the scalar instructions of one kernel: walks the expressions of its members at the kernel's loop variables,
 * composing views into affine accesses, and puts every value in the outermost stage it can be computed in.
 */
import type { Affine, Condition, Instruction, Stage, Value } from "../backend/program.ts";
import { type ComputeDType, computeDType, isFloat } from "../graph/dtype.ts";
import { ThalwegError } from "../graph/errors.ts";
import type { Node, ReduceOp } from "../graph/node.ts";
import { isBinary, isUnary } from "../graph/scalar.ts";
import { type Bound, boundKey, type Coordinate, rangeOf, sameCoordinate, type Variable } from "./coordinates.ts";
import type { Frame, Placement } from "./domain.ts";
import { Memo } from "./memo.ts";
import type { Partition } from "./partition.ts";
import { isReduce } from "./simplify.ts";
import { isView, mapView } from "./views.ts";

/** Thrown when an access needs a loop cut in two; the kernel is built again with the cut. */
export class CutRequest extends ThalwegError {
  readonly variable: Variable;
  readonly divisor: number;
  constructor(variable: Variable, divisor: number) {
    super("compile", `loop of ${variable.size} must be cut by ${divisor}`);
    this.variable = variable;
    this.divisor = divisor;
  }
}

/** What the body needs to know of the kernel it is for. */
export interface BodyContext {
  readonly partition: Partition;
  readonly frame: Frame;
  /** Units of this kernel (its contraction, if any, is `accumulator`). */
  readonly members: ReadonlySet<Node>;
  readonly accumulator?: { readonly node: Node; readonly position: Coordinate };
  /** Buffers each stored member is written to; others stay in registers. */
  readonly targets: (unit: Node) => readonly number[];
  /** Buffer that holds a stored node. */
  readonly bufferOf: (node: Node) => number;
  /** Index of a uniform in the Program. */
  readonly uniformOf: (node: Node) => number;
}

interface Section {
  readonly over: "outer" | "inner";
  readonly body: Instruction[];
  readonly stores: Instruction[];
  /** Whether an element is inside, by the bounds asked about. */
  readonly inside: Map<string, Value>;
}

const section = (over: Section["over"]): Section => ({ over, body: [], stores: [], inside: new Map() });

/** What has been computed for one iteration of the outer loops, or of one inner stage. */
class Computed {
  readonly units = new Map<Node, Value>();
  readonly expressions = new Memo();
  readonly loads = new Memo();
}

export class BodyBuilder {
  readonly #context: BodyContext;
  readonly #variables: readonly Variable[];
  readonly #sections: Section[] = [section("outer")];
  readonly #outerComputed = new Computed();
  #innerComputed = new Computed();
  #accumulated: Value | undefined;
  readonly #slots = new Map<number, number>();
  readonly #dtypes = new Map<Value, ComputeDType>();
  readonly #results = new Map<Node, Value>();
  /** Inner stage in which each full-space member was computed. */
  readonly #stageOf = new Map<Node, Section>();
  /** Members being evaluated by expression rather than looked up. */
  #next = 0;
  #inner: Section | undefined;

  constructor(context: BodyContext) {
    this.#context = context;
    this.#variables = [...context.frame.outer, ...context.frame.inner];
  }

  /** Buffer of each slot, in order of first use. */
  get buffers(): number[] {
    return [...this.#slots.keys()];
  }

  get stages(): Stage[] {
    return this.#sections
      .map(({ over, body, stores }) => ({ over, body: [...body, ...stores] }))
      .filter(({ body }) => body.length > 0);
  }

  /** Computes and stores everything of one round: full-space maps and reductions, or outer values. */
  outerStage(units: readonly Node[]): void {
    this.#inner = undefined;
    this.#openOuter();
    for (const unit of units) this.#computeUnit(unit);
  }

  /** Stores the contraction's own result. */
  storeAccumulator(node: Node, position: Coordinate): void {
    const value = this.#accumulator(node);
    const into = this.#openOuter();
    const at = this.#affine(position, []);
    for (const buffer of this.#context.targets(node)) {
      into.stores.push({ id: this.#next++, op: "store", slot: this.#slot(buffer), at, value });
    }
  }

  innerStage(units: readonly Node[]): void {
    this.#openOuter();
    this.#inner = section("inner");
    this.#innerComputed = new Computed();
    this.#sections.push(this.#inner);
    for (const unit of units) this.#computeUnit(unit);
    this.#inner = undefined;
    this.#sections.push(section("outer"));
    for (const unit of units) if (isReduce(unit.op)) this.#finishReduction(unit);
  }

  #openOuter(): Section {
    const last = this.#sections[this.#sections.length - 1] as Section;
    if (last.over === "outer") return last;
    const fresh = section("outer");
    this.#sections.push(fresh);
    return fresh;
  }

  /** The outer section that runs before the current inner stage, or the current outer one. */
  #outerSection(): Section {
    if (!this.#inner) return this.#openOuter();
    return this.#sections[this.#sections.indexOf(this.#inner) - 1] as Section;
  }

  #placement(unit: Node): Placement {
    return this.#context.frame.place(unit) as Placement;
  }

  #computeUnit(unit: Node): void {
    const placement = this.#placement(unit);
    if (isReduce(unit.op)) {
      const value = this.#evaluate(unit.inputs[0] as Node, placement.source, []);
      const id = this.#emit(this.#inner as Section, {
        op: "reduce",
        dtype: computeDType(unit.dtype),
        fn: unit.op as ReduceOp,
        value,
      });
      this.#results.set(unit, id);
      return;
    }
    if (this.#inner) this.#stageOf.set(unit, this.#inner);
    const value = this.#memberValue(unit);
    this.#store(unit, placement, value);
  }

  #finishReduction(unit: Node): void {
    const raw = this.#results.get(unit) as Value;
    const value = this.#rounded(unit, raw, this.#openOuter());
    this.#results.set(unit, value);
    this.#store(unit, this.#placement(unit), value);
  }

  /** A unit is rounded as memory would, stored or not, so that whoever computes with it gets the same bits as a reader. */
  #rounded(unit: Node, value: Value, into: Section): Value {
    if (!isFloat(unit.dtype) || unit.dtype === "float64") return value;
    return this.#emit(into, { op: "roundTo", dtype: "float32", to: unit.dtype, args: [value] });
  }

  #store(unit: Node, placement: Placement, value: Value): void {
    const targets = this.#context.targets(unit);
    if (targets.length === 0) return;
    const full = placement.level === "full" && this.#inner !== undefined;
    const into = full ? (this.#inner as Section) : this.#openOuter();
    const at = this.#affine(placement.position, []);
    for (const buffer of targets)
      into.stores.push({ id: this.#next++, op: "store", slot: this.#slot(buffer), at, value });
  }

  #memberValue(unit: Node): Value {
    const { own, level } = this.#placement(unit);
    const varies = !this.#isOuter(own, []);
    const outer = !this.#inner || (!varies && level !== "full");
    const { units } = this.#computed(outer);
    const known = units.get(unit);
    if (known !== undefined) return known;
    const exact = this.#expression(unit, own, [], this.#sectionFor(!varies));
    const value = this.#rounded(unit, exact, this.#sectionFor(outer));
    units.set(unit, value);
    return value;
  }

  /** Whether a value is the same for all iterations of the current inner stage, if there is one. */
  #isOuter(at: readonly Coordinate[], bounds: readonly Bound[]): boolean {
    if (!this.#inner) return true;
    const { frame } = this.#context;
    return at.every((c) => frame.isOuter(c)) && bounds.every((b) => frame.isOuter(b.coordinate));
  }

  #sectionFor(outer: boolean): Section {
    return outer || !this.#inner ? this.#outerSection() : this.#inner;
  }

  #computed(outer: boolean): Computed {
    return outer ? this.#outerComputed : this.#innerComputed;
  }

  /** Value of a node at an element; memory is touched only where all `bounds` hold. */
  #evaluate(node: Node, at: readonly Coordinate[], bounds: readonly Bound[]): Value {
    const { partition, frame } = this.#context;
    if (partition.isStored(node)) return this.#access(node, frame.table.linear(node.shape, at), bounds);
    const outer = this.#isOuter(at, bounds);
    const { expressions } = this.#computed(outer);
    let value = expressions.get(node, at, bounds);
    if (value === undefined) {
      value = this.#expression(node, at, bounds, this.#sectionFor(outer));
      expressions.set(node, at, bounds, value);
    }
    return value;
  }

  /** The operation of a node itself, whether or not its value is stored somewhere. */
  #expression(node: Node, at: readonly Coordinate[], bounds: readonly Bound[], into: Section): Value {
    const dtype = computeDType(node.dtype);
    if (isView(node)) return this.#view(node, at, bounds);
    const arg = (i: number): Value => this.#evaluate(node.inputs[i] as Node, at, bounds);
    if (isUnary(node.op)) return this.#emit(into, { op: node.op, dtype, args: [arg(0)] });
    if (isBinary(node.op)) return this.#emit(into, { op: node.op, dtype, args: [arg(0), arg(1)] });
    switch (node.op) {
      case "constant":
        return this.#emit(this.#outerSection(), { op: "constant", dtype, value: node.attributes.value });
      case "uniform":
        return this.#emit(this.#outerSection(), { op: "uniform", dtype, uniform: this.#context.uniformOf(node) });
      case "iota":
        return this.#emit(into, { op: "index", dtype: "int32", affine: this.#affine(at[0] as Coordinate, bounds) });
      case "random": {
        const word = this.#emit(into, {
          op: "index",
          dtype: "int32",
          affine: this.#affine(at[0] as Coordinate, bounds),
        });
        const [k0, k1, s0, s1] = node.inputs.map((input) => this.#evaluate(input, [], [])) as [
          Value,
          Value,
          Value,
          Value,
        ];
        return this.#emit(into, { op: "philox", dtype: "uint32", args: [word, k0, k1, s0, s1] });
      }
      case "where":
        return this.#emit(into, { op: "where", dtype, args: [arg(0), arg(1), arg(2)] });
      case "cast":
        return this.#cast(node, arg(0), into);
      case "barrier":
      case "stopGradient":
        return arg(0);
      case "gather": {
        const [x, index] = node.inputs as [Node, Node];
        const { axis } = node.attributes;
        const variable = this.#context.frame.table.dynamic(index, at, x.shape[axis] as number);
        const found: Coordinate = { offset: 0, terms: [{ variable, coefficient: 1 }] };
        return this.#evaluate(
          x,
          at.map((c, i) => (i === axis ? found : c)),
          bounds,
        );
      }
      default:
        throw new ThalwegError("compile", `a ${node.op} node cannot be computed inline`);
    }
  }

  #cast(node: Node, value: Value, into: Section): Value {
    const dtype = computeDType(node.dtype);
    const from = this.#dtypes.get(value) as ComputeDType;
    const converted = from === dtype ? value : this.#emit(into, { op: "cast", dtype, args: [value] });
    if (node.dtype !== "bfloat16" && node.dtype !== "float16") return converted;
    return this.#emit(into, { op: "roundTo", dtype, to: node.dtype, args: [converted] });
  }

  #view(
    node: Node & { op: "reshape" | "permute" | "expand" | "slice" | "pad" | "shear" },
    at: readonly Coordinate[],
    bounds: readonly Bound[],
  ): Value {
    const { partition, frame } = this.#context;
    const input = node.inputs[0] as Node;
    const dtype = computeDType(node.dtype);
    if (node.op === "reshape" && partition.isStored(input)) {
      return this.#access(input, frame.table.linear(node.shape, at), bounds);
    }
    const mapped = mapView(frame.table, node, at);
    if (!mapped) throw new ThalwegError("compile", `a ${node.op} was left without a stored input`);
    const fill = (): Value => this.#emit(this.#outerSection(), { op: "constant", dtype, value: mapped.fill });
    if (mapped.outside) return fill();
    if (mapped.bounds.length === 0) return this.#evaluate(input, mapped.coordinates, bounds);
    const known = new Set(bounds.map(boundKey));
    const added = mapped.bounds.filter((b) => !known.has(boundKey(b)));
    const all = [...bounds, ...added];
    const value = this.#evaluate(input, mapped.coordinates, all);
    if (added.length === 0) return value;
    // A plain load already gives 0 outside.
    if (mapped.fill === 0 && partition.isStored(input) && !this.#context.members.has(input)) return value;
    const into = this.#sectionFor(this.#isOuter(at, all));
    const inside = this.#inside(added, bounds, into);
    return this.#emit(into, { op: "where", dtype, args: [inside, value, fill()] });
  }

  #inside(added: readonly Bound[], bounds: readonly Bound[], into: Section): Value {
    const key = added.map(boundKey).join("&");
    const known = into.inside.get(key);
    if (known !== undefined) return known;
    const value = this.#emit(into, { op: "inside", dtype: "bool", conditions: this.#conditions(added, bounds) });
    into.inside.set(key, value);
    return value;
  }

  /** A stored node's element at a linear position: a register when this iteration made it, else a load. */
  #access(node: Node, position: Coordinate, bounds: readonly Bound[]): Value {
    const { accumulator, members } = this.#context;
    if (node === accumulator?.node) {
      if (sameCoordinate(position, accumulator.position)) return this.#accumulator(node);
    } else if (members.has(node)) {
      const placement = this.#placement(node);
      if (sameCoordinate(placement.position, position)) {
        const own = this.#register(node, placement);
        if (own !== undefined) return own;
      }
    }
    return this.#load(node, position, bounds);
  }

  #accumulator(node: Node): Value {
    if (this.#accumulated !== undefined) return this.#accumulated;
    const raw = this.#emit(this.#outerSection(), { op: "accumulator", dtype: computeDType(node.dtype) });
    const value = this.#rounded(node, raw, this.#outerSection());
    this.#accumulated = value;
    return value;
  }

  #register(node: Node, placement: Placement): Value | undefined {
    if (placement.level === "reduce") return this.#results.get(node);
    if (placement.level === "outer" || !this.#inner) return this.#memberValue(node);
    const stage = this.#stageOf.get(node);
    if (stage !== undefined && stage !== this.#inner && this.#context.targets(node).length > 0) return undefined;
    return this.#memberValue(node);
  }

  #load(node: Node, position: Coordinate, bounds: readonly Bound[]): Value {
    const outer = this.#isOuter([position], bounds);
    const into = this.#sectionFor(outer);
    const { loads } = this.#computed(outer);
    const known = loads.get(node, [position], bounds);
    if (known !== undefined) return known;
    const at = this.#affine(position, bounds);
    const slot = this.#slot(this.#context.bufferOf(node));
    const conditions = this.#conditions(bounds, bounds);
    const value = this.#emit(into, {
      op: "load",
      dtype: computeDType(node.dtype),
      slot,
      at,
      ...(conditions.length > 0 ? { conditions } : {}),
    });
    loads.set(node, [position], bounds, value);
    return value;
  }

  #conditions(wanted: readonly Bound[], bounds: readonly Bound[]): Condition[] {
    return wanted
      .filter(({ coordinate, lo, hi }) => {
        const { min, max } = rangeOf(coordinate);
        return min < lo || max >= hi;
      })
      .map(({ coordinate, lo, hi }) => ({ affine: this.#affine(coordinate, bounds), lo, hi }));
  }

  #affine(coordinate: Coordinate, bounds: readonly Bound[]): Affine {
    const strides = new Array<number>(this.#variables.length).fill(0);
    const dynamic: { value: Value; stride: number; size: number }[] = [];
    for (const { variable, coefficient } of coordinate.terms) {
      if (variable.part) throw new CutRequest(rootOf(variable), rootCut(variable));
      if (variable.dynamic) {
        const { node, at } = variable.dynamic;
        // Bounds on the index itself cannot guard the reading of it.
        const known = bounds.filter((b) => !dependsOn(b.coordinate, variable));
        dynamic.push({ value: this.#evaluate(node, at, known), stride: coefficient, size: variable.size });
      } else {
        strides[this.#variables.indexOf(variable)] = coefficient;
      }
    }
    return { offset: coordinate.offset, strides, ...(dynamic.length > 0 ? { dynamic } : {}) };
  }

  #slot(buffer: number): number {
    let slot = this.#slots.get(buffer);
    if (slot === undefined) {
      slot = this.#slots.size;
      this.#slots.set(buffer, slot);
    }
    return slot;
  }

  #emit(into: Section, instruction: Emitted): Value {
    const id = this.#next++;
    const full = { id, ...instruction } as Instruction;
    into.body.push(full);
    if ("dtype" in full) this.#dtypes.set(id, full.dtype);
    return id;
  }
}

type Emitted = Instruction extends infer I ? (I extends { id: Value } ? Omit<I, "id"> : never) : never;

const dependsOn = (coordinate: Coordinate, variable: Variable): boolean =>
  coordinate.terms.some((t) => t.variable === variable || t.variable.dynamic?.at.some((c) => dependsOn(c, variable)));

const rootOf = (v: Variable): Variable => (v.part ? rootOf(v.part.of) : v);
/** The divisor that cuts the loop variable itself; parts of parts follow once that is done. */
const rootCut = (v: Variable): number => (v.part?.of.part ? rootCut(v.part.of) : (v.part?.divisor as number));
