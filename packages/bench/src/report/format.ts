/** Quantities as a reader wants them: three digits, and a unit that keeps them between 1 and 1000. */

/** Three significant digits, more only where the whole part has more. */
export function digits(value: number): string {
  if (value === 0) return "0";
  // Of the rounded value: 0.9996 has none to show after two places.
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
  return value.toFixed(Math.min(12, Math.max(0, 2 - magnitude)));
}

/** As `digits`, without the zeros at the end: for ticks, which are round. */
const short = (value: number): string => String(Number(value.toPrecision(3)));

type Write = (value: number) => string;

function inUnits(units: readonly (readonly [size: number, name: string])[], write: Write): Write {
  const smallest = units[units.length - 1] as readonly [number, string];
  return (value) => {
    // Less by half a unit of the last digit, so that 999.9 µs becomes 1.00 ms and not 1000 µs.
    const [size, name] = units.find(([unit]) => value >= 0.9995 * unit) ?? smallest;
    return `${write(value / size)}\u00a0${name}`;
  };
}

const timeUnits = [
  [1000, "s"],
  [1, "ms"],
  [1e-3, "µs"],
  [1e-6, "ns"],
] as const;
const byteUnits = [
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
  [1, "B"],
] as const;

/** Of milliseconds. */
export const time = inUnits(timeUnits, digits);
export const timeTick = inUnits(timeUnits, short);
export const bytes = inUnits(byteUnits, digits);
export const bytesTick = inUnits(byteUnits, short);
export const times: Write = (ratio) => `${digits(ratio)}×`;
export const timesTick: Write = (ratio) => `${short(ratio)}×`;
/** Of a fraction. */
export const percent: Write = (fraction) => `${digits(100 * fraction)}\u00a0%`;
export const percentTick: Write = (fraction) => `${short(100 * fraction)}\u00a0%`;

/** An instant, in UTC, to the minute; as it stands where it is none. */
export function instant(date: string): string {
  const at = new Date(date);
  if (Number.isNaN(at.getTime())) return date;
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
