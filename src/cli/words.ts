/** Numbers, times and names as people read them. Exact ones belong in JSON. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** One, several, and how long one is: the longest first. */
const UNITS: readonly (readonly [string, string, number])[] = [
  ['year', 'years', 365 * DAY],
  ['month', 'months', 30 * DAY],
  ['day', 'days', DAY],
  ['h', 'h', HOUR],
  ['min', 'min', MINUTE],
  ['s', 's', SECOND],
];

/** `3 min ago`. A time to come, as after a clock was set back, is `in 3 min`. */
export function age(time: Date, now: number): string {
  const elapsed = now - time.getTime();
  const distance = Math.abs(elapsed);
  if (distance < SECOND) return 'just now';
  return elapsed < 0 ? `in ${inUnits(distance)}` : `${inUnits(distance)} ago`;
}

/** `0.4 s`, `12 s`, `3 min`: how long something took, or will take. */
export function duration(milliseconds: number): string {
  return milliseconds < 10 * SECOND ? `${(milliseconds / SECOND).toFixed(1)} s` : inUnits(milliseconds);
}

/** In the largest unit of which it has one at least, from seconds. */
function inUnits(milliseconds: number): string {
  const [one, several, length] = UNITS.find((unit) => milliseconds >= unit[2]) ?? ['s', 's', SECOND];
  const number = Math.floor(milliseconds / length);
  return `${number} ${number === 1 ? one : several}`;
}

/** `1 snapshot`, `2 snapshots`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

/** How many times smaller, as `3.2 x`; a dash where there is nothing to compare. */
export function times(ratio: number | undefined): string {
  return ratio === undefined ? '-' : `${ratio.toFixed(ratio < 10 ? 2 : ratio < 100 ? 1 : 0)} x`;
}

/** `whole / part`, or undefined for nothing. */
export function ratio(whole: number, part: number): number | undefined {
  return part > 0 ? whole / part : undefined;
}

export const SHORT_ID = 8;

/** Each id cut to 8 digits, or to as many more as tell it from the others. */
export function shortIds(ids: readonly string[]): Map<string, string> {
  const sorted = [...new Set(ids)].sort();
  return new Map(
    sorted.map((id, position) => {
      const shared = Math.max(
        sharedLength(id, sorted[position - 1] ?? ''),
        sharedLength(id, sorted[position + 1] ?? ''),
      );
      return [id, id.slice(0, Math.max(SHORT_ID, shared + 1))];
    }),
  );
}

export function shortId(id: string): string {
  return id.slice(0, SHORT_ID);
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** A store holds names that others chose: none of them may steer the terminal or break a line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
