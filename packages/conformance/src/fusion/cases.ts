/** The layer `fusion`: what core makes of a graph for this backend's kinds of kernels, in kernels and bytes. */
import type { Backend, DType } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { needDTypes } from "../needs.ts";
import { columnOf, compareFigures, programsOf } from "./compare.ts";
import { contractionGraphs } from "./contractions.ts";
import { elementwiseGraphs } from "./elementwise.ts";
import { type Figures, figures } from "./figures.ts";
import type { FusionGraph } from "./graph.ts";
import { rowGraphs } from "./rows.ts";
import { trainingGraphs } from "./training.ts";
import { type PreparedUpdate, prepareUpdate, type Update, updates } from "./updates.ts";

const graphs = [...elementwiseGraphs, ...rowGraphs, ...contractionGraphs, ...trainingGraphs];

/** The table's figures for a graph; undefined where it has none. */
function expectedOf(name: string, backend: Backend): Figures | undefined {
  const column = columnOf(backend);
  return figures[name]?.[column];
}

const needed = (backend: Backend, dtypes: readonly DType[]): void => needDTypes(backend, ...new Set(dtypes));

function graphCase({ name, dtypes, starts, prepare }: FusionGraph): Case {
  return {
    layer: "fusion",
    name,
    run({ backend }) {
      needed(backend, dtypes);
      const expected = expectedOf(name, backend);
      if (!expected) throw new Error(`there are no figures of it in fusion/figures.ts`);
      compareFigures(expected, programsOf(backend, prepare, starts));
    },
  };
}

/** An update without figures in the table is one kernel that moves what it must. */
function updateCase(update: Update): Case {
  return {
    layer: "fusion",
    name: update.name,
    run({ backend }) {
      needed(backend, ["float32"]);
      const expected = expectedOf(update.name, backend);
      const made: PreparedUpdate[] = [];
      const programs = programsOf(
        backend,
        () => {
          const prepared = prepareUpdate(update);
          made.push(prepared);
          return prepared.run;
        },
        true,
      );
      const [prepared] = made;
      compareFigures(expected ?? (prepared as PreparedUpdate).least(), programs);
    },
  };
}

export const fusionCases: readonly Case[] = [...graphs.map(graphCase), ...updates.map(updateCase)];
