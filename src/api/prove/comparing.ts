/** Two snapshots of one step compared: the same, or where they differ first. */

import type { ContentDiff } from '../../store/content-diff.js';
import type { RegionDiff } from '../../writer/diff-job.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { Diff } from '../diff.js';
import { Snap } from '../snap.js';

/** Where two states of one step differ first: in the first region that does, or else in the first value. */
export interface Divergence {
  step: number;
  /** Where in the state, as in error messages. */
  path: string;
  /** Of the element of that region; undefined where it is a value, or the regions are of another form. */
  index: number | undefined;
  /** What the first state has there, as JavaScript writes it; undefined: nothing. */
  a: string | undefined;
  /** What the second one has. */
  b: string | undefined;
  /** All that differs, `a` and `b` as above. */
  diff: Omit<Diff, 'a' | 'b'>;
}

/** Two snapshots that should be the same, by their ids. */
export interface Pair {
  step: number;
  a: string;
  b: string;
}

export interface CompareOptions {
  tolerance: number;
  limit: number;
  signal: AbortSignal | undefined;
}

/** What the pairs are, and the program that made the last `b`. */
export interface Findings {
  found: Compared[];
  program: SnapshotInfo['program'] | undefined;
}

/** How many numbers of a pair that is the same differ within the tolerance; or how the pair differs. */
export type Compared = { tolerated: number } | Divergence;

/** Compares in a store that holds both, in the order given, to the first pair that differs. */
export async function comparePairs(
  store: string,
  pairs: readonly Pair[],
  { tolerance, limit, signal }: CompareOptions,
): Promise<Findings> {
  // A reader sees what was there when it was opened, so this is another one than whoever looked before.
  await using snap = await Snap.open(store, { create: false, readOnly: true });
  const findings: Findings = { found: [], program: undefined };
  for (const { step, a, b } of pairs) {
    const { a: _, b: made, ...diff } = await snap.diff(a, b, { tolerance, limit, signal });
    findings.program = made.program;
    findings.found.push(diff.same ? { tolerated: diff.tolerated } : { step, ...firstOf(diff), diff });
    if (!diff.same) break;
  }
  return findings;
}

export function isDivergence(compared: Compared | undefined): compared is Divergence {
  return compared !== undefined && 'diff' in compared;
}

type Place = Pick<Divergence, 'path' | 'index' | 'a' | 'b'>;

function firstOf({ regions, values }: Pick<Diff, 'regions' | 'values'>): Place {
  const [value] = values;
  const withContent = regions.find(({ content }) => content);
  if (withContent?.content) return { path: withContent.path, ...firstElement(withContent.content) };
  if (value) return { path: value.path, index: undefined, a: value.a, b: value.b };
  const [region] = regions;
  return { path: region?.path ?? '', index: undefined, a: formOf(region?.a), b: formOf(region?.b) };
}

/** Numbers whose bits alone differ, as those of two NaNs, are told by these. */
function firstElement({ first, firstPair }: ContentDiff): Omit<Place, 'path'> {
  const { aBits, bBits } = firstPair;
  const [a, b] = [textOf(firstPair.a), textOf(firstPair.b)];
  if (a !== undefined && a !== b) return { index: first, a, b };
  const withBits = (text: string | undefined, bits: string) => (text ? `${text} (0x${bits})` : `0x${bits}`);
  return { index: first, a: withBits(a, aBits), b: withBits(b, bBits) };
}

function textOf(number: number | bigint | undefined): string | undefined {
  if (number === undefined) return undefined;
  if (typeof number === 'bigint') return `${number}n`;
  return Object.is(number, -0) ? '-0' : String(number);
}

function formOf(form: RegionDiff['a']): string | undefined {
  return form && `${form.kind} of ${form.byteLength} bytes`;
}
