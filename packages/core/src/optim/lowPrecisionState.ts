/**
 * State in less memory than the rule asks for: the moments of any rule in bfloat16, with stochastic rounding, or in blocks
 * of 8-bit codes. The rule computes with them as ever; they are decoded before it and encoded after it, in the same
 * Program.
 */
import type { DType } from "../graph/dtype.ts";
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError } from "../graph/errors.ts";
import { sameShape, sizeOf } from "../graph/shape.ts";
import { zeros } from "../tensor/creation.ts";
import { cast } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Blockwise, blockwiseShapes, dequantize, type MapKind, quantize } from "./dynamicMap.ts";
import type { Rule, ScalarMaker, SharedGroup, UpdateContext } from "./rule.ts";
import { roundingBits, roundStochastically } from "./stochasticRounding.ts";

/**
 * How moments are stored.
 *
 * - `float32`: so that 16-bit parameters have exact moments; 4 bytes an element.
 * - `bfloat16`: 2 bytes, rounded at random, so that the mean of many roundings is exact.
 * - `blockwise8bit`: 1 byte and 1/64 for the scales: the dynamic map of Dettmers et al. 2021, but rounded at random as well,
 *   as small changes to slow averages would never reach the next code. Parameters of fewer than 4096 elements keep what the
 *   rule asks for.
 */
export type StateDType = "float32" | "bfloat16" | "blockwise8bit";

const stateDTypes: readonly StateDType[] = ["float32", "bfloat16", "blockwise8bit"];

/** The option as a rule has it: null leaves state as the rule makes it. */
interface WithStateDType {
  readonly stateDtype: StateDType | null;
}

/** What is never negative goes by these names in the rules here; another rule says so itself. */
const secondMoments: readonly string[] = [
  "accDelta",
  "expAvgSq",
  "expAvgVar",
  "expInf",
  "hessian",
  "maxExpAvgSq",
  "maxExpAvgVar",
  "squareAvg",
  "sum",
];

/** Fewer elements than this are not worth 8 bits: biases and scales, which are few and matter much. */
const smallest8bit = 4096;

type Context<Options extends object> = Pick<
  UpdateContext<string, Options & WithStateDType>,
  "name" | "parameter" | "state" | "options"
>;
type State = Readonly<Partial<Record<string, Tensor>>>;

const codesOf = (name: string): string => `${name}.codes`;
const absmaxOf = (name: string): string => `${name}.absmax`;

/** Zeros, as moments start. */
function isZero({ node }: Tensor): boolean {
  let source = node;
  while (source.op === "expand" || source.op === "reshape") source = source.inputs[0] as typeof node;
  return source.op === "constant" && source.attributes.value === 0;
}

/**
 * `rule` with an option `stateDtype`. It is about state like the parameter that starts at zeros, as moments do; a rule says
 * with `exactState` what is to stay as it is, and with `nonNegativeState` what needs no sign.
 */
export function withStateDType<Options extends object>(
  rule: Rule<string, Options>,
): Rule<string, Options & WithStateDType> {
  const formatOf = (
    name: string,
    initial: Tensor,
    parameter: Tensor,
    { stateDtype }: WithStateDType,
  ): StateDType | null => {
    const isMoment = isFloat(initial.dtype) && sameShape(initial.shape, parameter.shape) && isZero(initial);
    if (!isMoment || rule.exactState?.includes(name)) return null;
    return stateDtype === "blockwise8bit" && sizeOf(parameter.shape) < smallest8bit ? null : stateDtype;
  };
  const kindOf = (name: string): MapKind =>
    (rule.nonNegativeState ?? secondMoments).includes(name) ? "nonNegative" : "signed";
  const initialOf = ({
    parameter,
    options,
    name,
  }: Omit<Context<Options>, "state">): [string, Tensor, StateDType | null][] =>
    Object.entries(rule.initialState(parameter, options, name)).flatMap(([key, initial]) =>
      initial ? [[key, initial, formatOf(key, initial, parameter, options)]] : [],
    );

  const decode = (context: Context<Options>): Record<string, Tensor> => {
    const { state, parameter } = context;
    return Object.fromEntries(
      initialOf(context).map(([name, , format]) => {
        if (format === null) return [name, state[name] as Tensor];
        if (format !== "blockwise8bit") return [name, cast(state[name] as Tensor, parameter.dtype)];
        const stored = { codes: state[codesOf(name)], absmax: state[absmaxOf(name)] } as Blockwise;
        return [name, dequantize(stored, kindOf(name), parameter.shape, parameter.dtype)];
      }),
    );
  };
  const encode = (
    context: Context<Options> & Pick<ScalarMaker<Options & WithStateDType>, "scalar">,
    state: State,
    purpose: number,
  ): Record<string, Tensor> => {
    const bits = roundingBits(context, purpose);
    const encoded: Record<string, Tensor> = {};
    for (const [name, , format] of initialOf(context)) {
      const value = state[name];
      if (!value) continue;
      if (format === "blockwise8bit") {
        const { codes, absmax } = quantize(value, kindOf(name), bits);
        encoded[codesOf(name)] = codes;
        encoded[absmaxOf(name)] = absmax;
      } else encoded[name] = format === "bfloat16" ? roundStochastically(value, bits(value)) : value;
    }
    return encoded;
  };
  /** The context as the rule knows it. */
  const plain = (context: UpdateContext<string, Options & WithStateDType>): UpdateContext<string, Options> => ({
    ...(context as unknown as UpdateContext<string, Options>),
    state: decode(context),
    get lr() {
      return context.lr;
    },
    // Not there yet while what is shared is being computed.
    get shared() {
      return context.shared;
    },
  });
  const plainGroup = (group: SharedGroup<string, Options & WithStateDType>): SharedGroup<string, Options> => ({
    ...(group as unknown as SharedGroup<string, Options>),
    members: group.members.map(plain),
    get lr() {
      return group.lr;
    },
  });

  const { share, perturb, observe, evaluationValue } = rule;
  return {
    ...(rule as Rule<string, object>),
    defaults: { ...rule.defaults, stateDtype: null },
    check(options) {
      const { stateDtype } = options;
      if (stateDtype !== null && !stateDTypes.includes(stateDtype)) {
        throw new ArgumentError(
          rule.name,
          `stateDtype must be one of ${stateDTypes.join(", ")}, got ${String(stateDtype)}`,
        );
      }
      rule.check(options);
    },
    initialState(parameter, options, name) {
      const state: Record<string, Tensor> = {};
      for (const [key, initial, format] of initialOf({ parameter, options, name })) {
        if (format === "blockwise8bit") {
          const shapes = blockwiseShapes(parameter.shape);
          const scales: DType = parameter.dtype === "float64" ? "float64" : "float32";
          state[codesOf(key)] = zeros(shapes.codes, { dtype: "uint32" });
          state[absmaxOf(key)] = zeros(shapes.absmax, { dtype: scales });
        } else state[key] = format === null ? initial : cast(initial, format);
      }
      return state;
    },
    update(context) {
      const result = rule.update(plain(context));
      return result.state ? { ...result, state: encode(context, result.state, 0) } : result;
    },
    ...(share && { share: ({ groups, state }) => share.call(rule, { groups: groups.map(plainGroup), state }) }),
    ...(perturb && { perturb: (groups) => perturb.call(rule, groups.map(plainGroup)) }),
    ...(observe && { observe: (context) => encode(context, observe.call(rule, plain(context)), 1) }),
    ...(evaluationValue && {
      evaluationValue: (context) =>
        evaluationValue.call(rule, { ...context, scalar: context.scalar as never, state: decode(context) }),
    }),
  } as Rule<string, Options & WithStateDType>;
}

/** Whether options, of an optimizer or a group, ask for `withStateDType`. */
export const asksForStateDType = (options: object): boolean =>
  "stateDtype" in options && options.stateDtype !== undefined;
