/**
 * Saves on a file system that has little room, until there is none, and goes on when there is room again. Prints what
 * came of it. LevelDB runs out of space here too: its log, its tables, and the lock.
 */

import diagnostics from 'node:diagnostics_channel';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Snap, SnapError } from '../../../src/index.js';

export interface SmallDiskReport {
  rounds: {
    /** Bytes that were left when saving began. */
    free: number;
    durable: number;
    /** Codes of what failed, those of opening and closing too. */
    failures: string[];
    warnings: number;
    /** Anything that is not as it should be. */
    wrong: string[];
  }[];
}

type State = { n: number; u: Float64Array };
type Round = SmallDiskReport['rounds'][number];

const KiB = 1024;
const [, , disk] = process.argv as [string, string, string];
const ballast = join(disk, 'ballast');

/** Leaves so many bytes free. */
function fill(free: number): void {
  const file = fs.openSync(ballast, 'w');
  const { bavail, bsize } = fs.statfsSync(disk);
  fs.writeSync(file, Buffer.alloc(Math.max(0, bavail * bsize - free)));
  fs.closeSync(file);
}

/** A state that shares little with the one before. */
function stateOf(n: number): State {
  return { n, u: Float64Array.from({ length: 2000 }, (_, index) => Math.sin(index * n)) };
}

async function codeOf(operation: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await operation();
    return undefined;
  } catch (error) {
    return error instanceof SnapError ? error.code : `untyped: ${error}`;
  }
}

async function readAll(snap: Snap, saved: Map<number, string>, round: Round, when: string): Promise<void> {
  for (const [n, id] of saved) {
    const code = await codeOf(async () => {
      const state = await snap.restore<State>(id);
      if (state.n !== n || state.u[1999] !== Math.sin(1999 * n)) throw new Error('another state');
    });
    if (code) round.wrong.push(`${when}: ${n}: ${code}`);
  }
  let listed = 0;
  const code = await codeOf(async () => {
    for await (const _ of snap.list()) listed++;
  });
  if (code || listed !== saved.size) round.wrong.push(`${when}: ${listed} of ${saved.size} listed, ${code}`);
}

async function perform(free: number): Promise<Round> {
  const round: Round = { free, durable: 0, failures: [], warnings: 0, wrong: [] };
  const count = () => round.warnings++;
  diagnostics.subscribe('holdfast:warning', count);
  const store = join(disk, `store${free}`);
  const saved = new Map<number, string>();
  let snap = await Snap.open(store);
  const save = async (n: number): Promise<boolean> => {
    const code = await codeOf(async () => {
      const { id } = await snap.save(stateOf(n), { durable: true, tag: `t${n % 5}` });
      saved.set(n, id);
    });
    if (code) round.failures.push(code);
    return code === undefined;
  };
  for (let n = 1; n <= 3; n++) await save(n);
  fill(free);
  let n = 3;
  for (let failed = 0; failed < 3 && n < 200; ) if (!(await save(++n))) failed++;
  await readAll(snap, saved, round, 'while it is full');
  const closed = await codeOf(() => snap.close());
  if (closed) round.wrong.push(`close: ${closed}`);

  const reader = await Snap.open(store, { readOnly: true });
  await readAll(reader, saved, round, 'a reader while it is full');
  await reader.close();
  const reopened = await codeOf(async () => {
    snap = await Snap.open(store);
    await readAll(snap, saved, round, 'opened while it is full');
    await snap.close();
  });
  if (reopened) round.failures.push(reopened);

  fs.rmSync(ballast);
  snap = await Snap.open(store);
  await readAll(snap, saved, round, 'when there is room again');
  if (!(await save(n + 1))) round.wrong.push('no save when there is room again');
  fill(0);
  await save(n + 2);
  fs.rmSync(ballast);
  if (!(await save(n + 3))) round.wrong.push('no save when there is room again, in the same session');
  await readAll(snap, saved, round, 'at the end');
  await snap.close();
  snap = await Snap.open(store);
  await readAll(snap, saved, round, 'in the end');
  await snap.close();
  round.durable = saved.size;
  diagnostics.unsubscribe('holdfast:warning', count);
  fs.rmSync(store, { recursive: true });
  return round;
}

const report: SmallDiskReport = { rounds: [] };
for (const free of [0, 4, 12, 40, 100, 300, 800]) report.rounds.push(await perform(free * KiB));
console.log(JSON.stringify(report));
