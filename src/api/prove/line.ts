/**
 * Which snapshots a run made after one of its snapshots, on the way to its newest or to another one.
 *
 * They are found by their parents. Where a retention policy has removed snapshots between, nobody can tell what a later
 * one was computed from: it is presumed to be of the same line, unless its parents say otherwise.
 */

import type { SnapshotInfo } from '../../writer/protocol.js';

export interface Line {
  /** With ascending steps, all after the snapshot that was asked about. */
  snapshots: StepInfo[];
  /** Ids of those that are presumed to be of the line. */
  presumed: ReadonlySet<string>;
}

/** A snapshot that says at which step it was made. */
export type StepInfo = SnapshotInfo & { step: number };

export function hasStep(info: SnapshotInfo): info is StepInfo {
  return info.step !== undefined;
}

/** Where a snapshot comes from: that one, an unknown, or something else. */
type Origin = 'line' | 'gone' | 'other';

/**
 * What `from` led to: by the line to the newest snapshot of the run that came of it.
 *
 * @param newest the snapshots of a store, forgotten ones too, the newest first, as `historyOf` takes them
 */
export function lineAfter(from: StepInfo, newest: readonly SnapshotInfo[]): Line {
  const { ofRun, byId, origin } = survey(from, newest);
  const newestOf = (wanted: Origin) => ofRun.find((info) => !info.forgotten && origin(info) === wanted);
  const known = pathTo(newestOf('line'), from, byId);
  const last = known.at(-1) ?? from;
  const presumed = pathTo(newestOf('gone'), from, byId).filter(({ step }) => step > last.step);
  return { snapshots: [...known, ...presumed], presumed: new Set(presumed.map(({ id }) => id)) };
}

/** What lies between two snapshots of a run, the later one included; undefined where that did not come of the first. */
export function lineBetween(from: StepInfo, to: StepInfo, newest: readonly SnapshotInfo[]): Line | undefined {
  const { ofRun, byId, origin } = survey(from, newest);
  const end = ofRun.find(({ id }) => id === to.id);
  if (!end || origin(end) === 'other') return undefined;
  const path = pathTo(end, from, byId);
  if (origin(end) === 'line') return { snapshots: path, presumed: new Set() };
  const first = path[0] ?? to;
  const newestKnown = ofRun.find((info) => !info.forgotten && origin(info) === 'line');
  const known = pathTo(newestKnown, from, byId).filter(({ step }) => step < first.step);
  return { snapshots: [...known, ...path], presumed: new Set(path.map(({ id }) => id)) };
}

/** What came after `from` in its run, and where each of that comes from. */
function survey(from: StepInfo, newest: readonly SnapshotInfo[]) {
  const byId = new Map(newest.map((info) => [info.id, info]));
  const end = newest.findIndex(({ id }) => id === from.id);
  const later = newest.slice(0, Math.max(0, end));
  // Nothing that is older than a snapshot was computed from it.
  const origins = new Map<string, Origin>(newest.slice(later.length).map(({ id }) => [id, 'other']));
  origins.set(from.id, 'line');
  return {
    ofRun: later.filter(({ run }) => run === from.run),
    byId,
    origin: (info: SnapshotInfo) => originOf(info, byId, origins),
  };
}

/** Of a listing of the newest first as much as `lineAfter` needs: of very many snapshots those after `from`. */
export async function historyOf(
  from: StepInfo,
  listing: AsyncIterable<SnapshotInfo>,
): Promise<SnapshotInfo[]> {
  const history: SnapshotInfo[] = [];
  const sought = new Set([from.id]);
  let isLater = true;
  for await (const info of listing) {
    history.push(info);
    sought.delete(info.id);
    isLater &&= info.id !== from.id;
    if (isLater && info.parent !== undefined) sought.add(info.parent);
    if (!isLater && sought.size === 0) break;
  }
  return history;
}

function originOf(
  info: SnapshotInfo,
  byId: ReadonlyMap<string, SnapshotInfo>,
  known: Map<string, Origin>,
): Origin {
  const path: string[] = [];
  let origin: Origin | undefined;
  for (let up: SnapshotInfo | undefined = info; origin === undefined; ) {
    origin = known.get(up.id);
    if (origin !== undefined) break;
    path.push(up.id);
    // A lineage that bites its own tail is damage.
    known.set(up.id, 'other');
    if (up.parent === undefined) origin = 'other';
    else {
      const parent: SnapshotInfo | undefined = byId.get(up.parent);
      if (parent) up = parent;
      else origin = 'gone';
    }
  }
  for (const id of path) known.set(id, origin);
  return origin;
}

/** From the oldest after `from` to `last`, with ascending steps; of several with one step the first. */
function pathTo(
  last: SnapshotInfo | undefined,
  from: StepInfo,
  byId: ReadonlyMap<string, SnapshotInfo>,
): StepInfo[] {
  const path: SnapshotInfo[] = [];
  for (
    let up = last;
    up && up.id !== from.id;
    up = up.parent === undefined ? undefined : byId.get(up.parent)
  ) {
    path.push(up);
  }
  const ascending: StepInfo[] = [];
  for (const info of path.reverse()) {
    const { step } = ascending.at(-1) ?? from;
    if (hasStep(info) && !info.forgotten && info.run === from.run && info.step > step) ascending.push(info);
  }
  return ascending;
}
