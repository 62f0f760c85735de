/** The page's style sheet: light, dark, and black on white for paper. */
import { palette } from "./runnerLook.ts";

const colours = (shade: "light" | "dark"): string =>
  palette.map((colour, i) => `--runner-${i}: ${colour[shade]};`).join(" ");

const light = `--paper: #fff; --ink: #16191d; --faint: #59616b; --line: #dfe3e8; --link: #0067a5; ${colours("light")}`;
const dark = `--paper: #14171b; --ink: #e8eaed; --faint: #a2abb5; --line: #333a42; --link: #5cb3f0; ${colours("dark")}`;

export const style = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 1240px; padding: 1.25rem clamp(0.75rem, 3vw, 2rem) 3rem;
  background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 0 0 0.35rem; letter-spacing: -0.005em; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
main > section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; text-wrap: pretty; margin: 0 0 0.9rem; overflow-wrap: anywhere; }
a { color: var(--link); }
small { color: var(--faint); font-size: 0.8125rem; font-weight: 400; }
.lead { color: var(--faint); }
header .lead { max-width: none; font-size: 1.0625rem; margin: 0.4rem 0 0; }
.facts { display: grid; gap: 0 2.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.facts h2 { font-size: 1rem; margin: 1.4rem 0 0.2rem; }
dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 8rem 1fr; gap: 0 0.75rem; padding: 0.3rem 0; border-top: 1px solid var(--line); font-size: 0.9375rem; }
dt { color: var(--faint); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
.means { display: grid; gap: 0.75rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); margin-bottom: 1.25rem; }
.means li { border-left: 3px solid var(--line); padding-left: 0.75rem; line-height: 1.35; }
.means strong { font-size: 1.375rem; font-variant-numeric: tabular-nums; }
.means small { display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin-bottom: 0.75rem; font-size: 0.9375rem; }
.whole, .legend li, tbody th { white-space: nowrap; }
.marker { display: inline-block; vertical-align: -0.1em; overflow: visible; }
.grid { display: grid; gap: 1.75rem 2.25rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; min-width: 0; max-width: 30rem; }
figcaption { font-size: 0.875rem; line-height: 1.4; color: var(--faint); margin-bottom: 0.6rem; overflow-wrap: anywhere; }
figcaption strong { display: block; color: var(--ink); font-size: 1rem; }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { white-space: pre; }
.directions { display: flex; justify-content: space-between; font-size: 0.8125rem; color: var(--faint); margin-bottom: 0.4rem; }
.scroll { overflow-x: auto; margin-top: 1.25rem; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: 0.35rem; white-space: nowrap; }
th, td { padding: 0.3rem 0 0.3rem 1.25rem; text-align: right; vertical-align: top; }
th:first-child { padding-left: 0; text-align: left; font-weight: 400; }
td { white-space: nowrap; }
thead th, thead th:first-child { color: var(--faint); font-weight: 600; vertical-align: bottom; }
tbody tr { border-top: 1px solid var(--line); }
tbody tr.workload th { padding-top: 1rem; font-weight: 600; white-space: normal; }
.workload span, .note span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 2rem); }
.workload small { display: block; max-width: 40rem; }
.fastest th, .fastest th:first-child, .fastest td { font-weight: 700; }
.reason { display: block; white-space: pre-wrap; color: var(--faint); }
dd strong { font-weight: 600; }
tr.note { border-top: 0; }
tr.note td { padding: 0 0 0.3rem; text-align: left; white-space: normal; }
tbody th[scope="row"] { position: sticky; left: 0; background: var(--paper); }
@media (max-width: 30rem) {
  table { font-size: 0.8125rem; }
  th, td { padding-left: 0.7rem; }
}
@media print {
  :root { color-scheme: light; ${light} --faint: #333; --line: #bbb; --link: #000; --ink: #000; }
  @page { margin: 14mm 12mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  main > section { break-before: page; border-top: 0; margin-top: 0; padding-top: 0; }
  main > section:first-child { break-before: auto; margin-top: 8mm; }
  h2, h3, .lead, figcaption, .legend { break-after: avoid; }
  figure, tr, .means li, dl > div { break-inside: avoid; }
  .grid { grid-template-columns: 1fr 1fr; gap: 4mm 8mm; }
  .scroll { overflow: visible; }
  thead { display: table-header-group; }
  a { text-decoration: none; }
  tbody th[scope="row"] { position: static; background: none; }
}
`;
