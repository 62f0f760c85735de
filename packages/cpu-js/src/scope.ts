/** Blocks of generated code that still grow: statements move out to the outermost block where their operands exist. */

/** Gives every name of one function once. */
export class Names {
  #next = 0;
  readonly #suffix: string;

  constructor(suffix = "") {
    this.#suffix = suffix;
  }

  fresh(prefix: string): string {
    return `${prefix}${this.#next++}${this.#suffix}`;
  }
}

const isAtom = /^(?:[\w$]+|\(-\w+\))$/;

export class Scope {
  readonly lines: string[] = [];
  readonly #parent: Scope | undefined;
  readonly #names: Names;
  readonly #known = new Map<string, string>();

  constructor(names: Names, parent?: Scope) {
    this.#names = names;
    this.#parent = parent;
  }

  /** The name an expression has in this block or one around it. */
  find(expression: string): string | undefined {
    return this.#known.get(expression) ?? this.#parent?.find(expression);
  }

  push(line: string): void {
    this.lines.push(line);
  }

  /** A name for the value of a pure expression: an earlier one, where this block or one around it has computed the same. */
  define(expression: string, prefix = "t"): string {
    if (isAtom.test(expression)) return expression;
    const known = this.find(expression);
    if (known !== undefined) return known;
    const name = this.#names.fresh(prefix);
    this.#known.set(expression, name);
    this.lines.push(`const ${name} = ${expression};`);
    return name;
  }

  /** Names an expression that must be evaluated here, each time. */
  compute(expression: string, prefix = "t"): string {
    const name = this.#names.fresh(prefix);
    this.lines.push(`const ${name} = ${expression};`);
    return name;
  }

  /** Does a statement once per block and those inside it. */
  once(statement: string): void {
    if (this.find(statement) !== undefined) return;
    this.#known.set(statement, "");
    this.lines.push(statement);
  }

  child(): Scope {
    return new Scope(this.#names, this);
  }

  text(): string {
    return this.lines.join("\n");
  }
}
