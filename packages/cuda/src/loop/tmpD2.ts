import { compileKernel } from "../kernel/compileKernel.ts";
import { loopProgram, buffer, load, at, reduce, operation, store, constant } from "../testLoops.ts";
import { testTarget } from "../testKernel.ts";
import { writeFileSync } from "node:fs";
const softmax = (rows: number, columns: number, row: number, column: number, dtype: any="float32") =>
  loopProgram({
    buffers: [buffer(rows * columns,"input",dtype), buffer(rows * columns, "output",dtype)],
    outer: [rows], inner: [columns],
    stages: [
      ["inner", [load(0, at([row, column])), reduce("max", 0)]],
      ["inner", [load(0, at([row, column])), operation("sub", 2, 1), operation("exp", 3), reduce("sum", 4)]],
      ["inner", [load(0, at([row, column])), operation("sub", 6, 1), operation("exp", 7), operation("div", 8, 5), store(1, at([row, column]), 9)]],
    ],
  });
const layernorm = (rows: number, n: number) => loopProgram({
  buffers: [buffer(rows*n), buffer(n), buffer(n), buffer(rows*n,"output")],
  outer: [rows], inner: [n],
  stages: [
   ["inner", [load(0, at([n,1])), reduce("sum", 0)]],
   ["outer", [constant(n), operation("div",1,2)]],
   ["inner", [load(0, at([n,1])), operation("sub",4,3), operation("mul",5,5), reduce("sum",6)]],
   ["outer", [operation("div",7,2), constant(1e-5), operation("add",8,9), operation("rsqrt",10)]],
   ["inner", [load(0, at([n,1])), operation("sub",12,3), operation("mul",13,11), load(1,at([0,1])), operation("mul",14,15), load(2,at([0,1])), operation("add",16,17), store(3,at([n,1]),18)]],
  ]});
const layernormBackward = (rows: number, n: number) => loopProgram({
  buffers: [buffer(rows*n), buffer(n), buffer(rows*n), buffer(rows), buffer(rows), buffer(rows*n,"output")],
  outer: [rows], inner: [n],
  stages: [
   ["outer", [load(3,at([1,0])), constant(n), operation("div",0,1)]],
   ["inner", [load(0, at([n,1])), load(1,at([0,1])), operation("mul",3,4), load(2,at([n,1])), operation("sub",6,2), operation("mul",5,7), reduce("sum",8)]],
   ["outer", [constant(-0.5), operation("mul",9,10), load(4,at([1,0])), operation("div",12,1), operation("rsqrt",13), operation("mul",14,14), operation("mul",14,15), operation("mul",11,16), operation("div",17,1)]],
   ["inner", [load(0, at([n,1])), load(1,at([0,1])), operation("mul",19,20), operation("mul",21,14), load(2,at([n,1])), operation("sub",23,2), operation("mul",18,24), operation("add",22,25), operation("add",26,25), operation("neg",27), reduce("sum",28)]],
   ["outer", [operation("div",29,1)]],
   ["inner", [load(0, at([n,1])), load(1,at([0,1])), operation("mul",31,32), operation("mul",33,14), load(2,at([n,1])), operation("sub",35,2), operation("mul",18,36), operation("add",34,37), operation("add",38,37), operation("add",39,30), store(5,at([n,1]),40)]],
  ]});
const sum = (rows:number, n:number, s:number[], dtype:any="float32") => loopProgram({ buffers:[buffer(rows*n,"input",dtype), buffer(rows,"output")], outer: rows===1?[]:[rows], inner:[n],
  stages: [["inner",[load(0,at(rows===1?[1]:s)), reduce("sum",0)]],["outer",[store(1,at(rows===1?[0]:[1,0]),1)]]]});
const cases: any = {
 soft1024: softmax(65536,1024,1024,1), soft4096: softmax(16384,4096,4096,1), soft32k: softmax(2048,32768,32768,1), soft50257: softmax(8192,50257,50257,1), softbf: softmax(65536,1024,1024,1,"bfloat16"),
 soft768: softmax(65536,768,768,1), soft64: softmax(1<<20,64,64,1),
 softcol: softmax(65536,1024,1,65536), soft10: softmax(65536,10,10,1),
 ln1024: layernorm(65536,1024), ln4096: layernorm(16384,4096), lnb1024: layernormBackward(65536,1024), lnb4096: layernormBackward(16384,4096), lnb768: layernormBackward(8192,768),
 lnb8k: layernormBackward(8192,8192), lnb12k: layernormBackward(4096,12288), lnb16k: layernormBackward(4096,16384), lnb20k: layernormBackward(4096,20480), ln16k: layernorm(4096,16384), ln64k: layernorm(1024,65536), lnfew: layernorm(16, 65536), soft10000: softmax(6710,10000,10000,1), soft2000: softmax(33554,2000,2000,1), soft333: softmax(200000,333,333,1), col: sum(768,8192,[1,768]), colbf: sum(768,8192,[1,768],"bfloat16"), coltiny: sum(128,1024,[1,128]), full: sum(1,1<<26,[1]), rowsum: sum(16384,4096,[4096,1]), fullhuge: sum(1, 3_000_000_000, [1]),
};
const only = process.argv[2];
let text = '#include "thalweg.cuh"\n#include "reduce.cuh"\n', i=0;
for (const [name,p] of Object.entries(cases) as any) {
  if (only && name!==only) continue;
  const k = compileKernel(p.kernels[0], {program:p, target:testTarget, guarded:false});
  for (const l of k.launches as any) { if (only) console.log(l.source);
   console.log(name, l.grid.join(), l.block.join(), l.sharedBytes, k.scratchBytes); text += l.source.replaceAll(/#include .*\n/g,"").replace("KERNEL", `${name}_${i++}`); }
}
writeFileSync("/tmp/d2/x.cu", text);
