/** A typed emitter of WebAssembly: expressions, functions, modules, straight to the binary format. */
export { ByteWriter } from "./bytes.ts";
export { Constant, type Effect, type Expression, Instruction, Local, type ValueType } from "./expression.ts";
export { FunctionBuilder, type Label, type Section } from "./function.ts";
export {
  call,
  callEffect,
  type FunctionReference,
  type MemoryImport,
  ModuleBuilder,
  type Signature,
} from "./module.ts";
export { atomic, bulk, type F32, type F64, f32, f64, type I32, type I64, i32, i64 } from "./scalar.ts";
export { f32x4, f64x2, i8x16, i16x8, i32x4, i64x2, shuffle32, type V128, VectorConstant, v128 } from "./vector.ts";
