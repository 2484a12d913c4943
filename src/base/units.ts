/** Durations and sizes as people write them: `90m`, `7d`; `20GB`, `512 MiB`. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

const DURATIONS: ReadonlyMap<string, number> = new Map([
  ['s', SECOND],
  ['m', MINUTE],
  ['h', HOUR],
  ['d', DAY],
  ['w', WEEK],
]);

/** Decimal and binary: GB is 10^9 bytes, GiB 2^30. */
const SIZES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ...['k', 'm', 'g', 't', 'p'].flatMap((letter, power): [string, number][] => [
    [`${letter}b`, 1000 ** (power + 1)],
    [`${letter}ib`, 1024 ** (power + 1)],
  ]),
]);

const NUMBER_AND_UNIT = /^(\d+(?:\.\d+)?)[ \t]*([a-z]*)$/i;

/** Milliseconds of `90m`, `1.5h`, `7d`, `2w`. What is no duration is a TypeError, a too long one a RangeError. */
export function parseDuration(text: string): number {
  const form = 'a duration is a number and one of s, m, h, d, w, as in 7d';
  // Only lower case: where M is a month, nobody must get a minute.
  return quantity(text, DURATIONS, (unit) => unit, form);
}

/** Bytes of `20GB`, `512 MiB`, `1000`. What is no size is a TypeError, a too large one a RangeError. */
export function parseSize(text: string): number {
  const form = 'a size is a number and one of B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, as in 20GB';
  const [, number, letter = ''] = /^([\d.]+)[ \t]*([kmgtp])$/i.exec(text.trim()) ?? [];
  if (number) {
    const prefix = letter.toUpperCase();
    throw new TypeError(
      `${JSON.stringify(text)}: say ${number}${prefix}B (powers of 1000) or ${number}${prefix}iB (powers of 1024)`,
    );
  }
  return quantity(text, SIZES, (unit) => unit.toLowerCase(), form);
}

/** A duration as `parseDuration` reads it: `7d`, `36h`; odd ones in milliseconds. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const length = DURATIONS.get(unit) as number;
    if (ms >= length && ms % length === 0) return `${ms / length}${unit}`;
  }
  return `${ms} ms`;
}

/** A measured duration for people, to two or three digits: `0.42 ms`, `8.3 s`, `14 min`, `2.5 h`, `102 d`. */
export function roughDuration(ms: number): string {
  const units: [string, number][] = [
    ['d', DAY],
    ['h', HOUR],
    ['min', MINUTE],
    ['s', SECOND],
  ];
  const [unit, length] = units.find(([, size]) => ms >= 1.5 * size) ?? ['ms', 1];
  const value = ms / length;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`;
}

function quantity(
  text: string,
  units: ReadonlyMap<string, number>,
  normal: (unit: string) => string,
  form: string,
): number {
  const [, number, unit = ''] = NUMBER_AND_UNIT.exec(text.trim()) ?? [];
  const size = units.get(normal(unit));
  if (number === undefined || size === undefined) throw new TypeError(`${JSON.stringify(text)}: ${form}`);
  const value = Math.round(Number(number) * size);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${JSON.stringify(text)} is too large; ${form}`);
  return value;
}
