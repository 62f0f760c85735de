/** Builds the body of one function: locals, statements and structured control flow. */
import { ByteWriter } from "./bytes.ts";
import { type Effect, type Expression, Local, leb, type ValueType, valueTypeCodes } from "./expression.ts";
import { asI32, type I32, i32 } from "./scalar.ts";
import type { VectorConstant } from "./vector.ts";

/** What `br` names: a block that is left, or a loop that is begun again. */
export interface Label {
  readonly depth: number;
}

const emptyBlock = 0x40;

/** A place in the code that can still take more: see `FunctionBuilder.section`. */
export interface Section {
  readonly parts: (ByteWriter | Section)[];
  /** Blocks it stands in. */
  readonly depth: number;
}

const newSection = (depth: number): Section => ({ parts: [new ByteWriter()], depth });

function flatten(section: Section, to: ByteWriter): void {
  for (const part of section.parts) {
    if (part instanceof ByteWriter) to.append(part.view());
    else flatten(part, to);
  }
}

export class FunctionBuilder {
  readonly parameters: readonly Local[];
  readonly #results: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #root = newSection(0);
  #section = this.#root;
  /** The last part of the section being written. */
  #body = this.#root.parts[0] as ByteWriter;
  /** Vector constants, set once at entry: V8 would build them anew at every turn of a loop. */
  readonly #constants = new Map<string, { readonly local: Local<"v128">; readonly constant: VectorConstant }>();
  #depth = 0;

  constructor(parameters: readonly ValueType[], results: readonly ValueType[]) {
    this.parameters = parameters.map((type, index) => new Local(type, index));
    this.#results = results;
  }

  /** Parameter `index`, which must be of `type`. */
  parameter<T extends ValueType>(index: number, type: T): Local<T> {
    const parameter = this.parameters[index];
    if (parameter?.type !== type) throw new TypeError(`parameter ${index} is ${parameter?.type}, not ${type}`);
    return parameter as Local<T>;
  }

  /** A new local; 0 until it is set. */
  local<T extends ValueType>(type: T): Local<T> {
    this.#locals.push(type);
    return new Local(type, this.parameters.length + this.#locals.length - 1);
  }

  set<T extends ValueType>(local: Local<T>, value: Expression<T>): void {
    value.write(this.#body);
    this.#body.byte(0x21);
    this.#body.unsigned(local.index);
  }

  /** Computes `value` now and keeps it. A local is returned as it is: it must not be set again while it is in use. */
  let<T extends ValueType>(value: Expression<T>): Local<T> {
    if (value instanceof Local) return value as Local<T>;
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  /** A local that holds a vector constant from the function's entry on. */
  constant(constant: VectorConstant): Local<"v128"> {
    const key = constant.bytes.join();
    const known = this.#constants.get(key);
    if (known) return known.local;
    const local = this.local("v128");
    this.#constants.set(key, { local, constant });
    return local;
  }

  do(effect: Effect): void {
    effect.write(this.#body);
  }

  /** Computes and forgets. */
  drop(value: Expression): void {
    value.write(this.#body);
    this.#body.byte(0x1a);
  }

  #structure(code: number, build: (label: Label) => void): void {
    this.#body.byte(code);
    this.#body.byte(emptyBlock);
    this.#depth++;
    build({ depth: this.#depth });
    this.#depth--;
    this.#body.byte(0x0b);
  }

  /** Keeps a place open here: what `within` writes later comes to stand at this point, before all that follows now. */
  section(): Section {
    const section = newSection(this.#depth);
    this.#body = new ByteWriter();
    this.#section.parts.push(section, this.#body);
    return section;
  }

  /** Writes at the end of a section instead of here. */
  within(section: Section, build: () => void): void {
    const [current, depth] = [this.#section, this.#depth];
    this.#section = section;
    this.#body = section.parts.at(-1) as ByteWriter;
    this.#depth = section.depth;
    build();
    this.#section = current;
    this.#body = current.parts.at(-1) as ByteWriter;
    this.#depth = depth;
  }

  /** `br` to the label leaves the block. */
  block(build: (exit: Label) => void): void {
    this.#structure(0x02, build);
  }

  /** `br` to the label begins the loop again; its end is left otherwise. */
  loop(build: (again: Label) => void): void {
    this.#structure(0x03, build);
  }

  if(test: I32, then: () => void, otherwise?: () => void): void {
    asI32(test).write(this.#body);
    this.#structure(0x04, () => {
      then();
      if (!otherwise) return;
      this.#body.byte(0x05);
      otherwise();
    });
  }

  br(label: Label): void {
    this.#body.byte(0x0c);
    this.#body.unsigned(this.#depth - label.depth);
  }

  brIf(label: Label, test: I32): void {
    asI32(test).write(this.#body);
    this.#body.byte(0x0d);
    this.#body.unsigned(this.#depth - label.depth);
  }

  /** Leaves by cases[index], or by `otherwise` for an index beyond them. */
  brTable(index: I32, cases: readonly Label[], otherwise: Label): void {
    asI32(index).write(this.#body);
    this.#body.byte(0x0e);
    this.#body.unsigned(cases.length);
    for (const label of [...cases, otherwise]) this.#body.unsigned(this.#depth - label.depth);
  }

  return(value?: Expression): void {
    value?.write(this.#body);
    this.#body.byte(0x0f);
  }

  unreachable(): void {
    this.#body.byte(0x00);
  }

  /**
   * `variable` from `from` while it is below `to` (signed), by `step`. When all three are constants and the loop runs no
   * more than once, no loop is written. `to` is computed at every turn: a local or a constant.
   */
  for(variable: Local<"i32">, from: I32, to: I32, step: I32, body: () => void): void {
    this.set(variable, asI32(from));
    if (typeof from === "number" && typeof to === "number") {
      if (from >= to) return;
      if (typeof step === "number" && from + step >= to) {
        body();
        return;
      }
    }
    const turn = (): void =>
      this.loop((again) => {
        body();
        this.set(variable, i32.add(variable, step));
        this.brIf(again, i32.ltS(variable, to));
      });
    if (typeof from === "number" && typeof to === "number") turn();
    else this.if(i32.ltS(variable, to), turn);
  }

  /** The function's code as the code section holds it, without its length. */
  toBytes(): Uint8Array {
    const code = new ByteWriter();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    code.unsigned(runs.length);
    for (const { type, count } of runs) {
      code.unsigned(count);
      code.byte(valueTypeCodes[type]);
    }
    for (const { local, constant } of this.#constants.values()) {
      constant.write(code);
      code.append([0x21, ...leb(local.index)]);
    }
    flatten(this.#root, code);
    if (this.#results.length > 0) code.byte(0x00);
    code.byte(0x0b);
    return code.toBytes();
  }
}
