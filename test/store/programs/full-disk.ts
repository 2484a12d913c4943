/**
 * Fills a small file system with snapshots, and then to its last byte; forgets and collects some of them, and goes on.
 * Prints what came of it.
 */

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { INTERNALS } from '../../../src/api/options.js';
import { Snap, SnapError } from '../../../src/index.js';

export interface FullDiskReport {
  how: string;
  /** Codes of everything that failed, in order. */
  failures: string[];
  saved: number;
  forgotten: number;
  freedBytes: number;
  /** Of the file system: before forgetting, after forgetting, after collecting. */
  free: number[];
  savedAfter: number;
  /** Anything that is not as it should be. */
  wrong: string[];
}

const KiB = 1024;
const [, , disk, how, command] = process.argv as [string, string, string, string, string];
const directory = join(disk, 'store');
const report: FullDiskReport = {
  how,
  failures: [],
  saved: 0,
  forgotten: 0,
  freedBytes: 0,
  free: [],
  savedAfter: 0,
  wrong: [],
};

type State = { n: number; u: Float64Array };

/** Shares nothing with any other. */
function stateOf(n: number): State {
  return { n, u: Float64Array.from({ length: 4000 }, (_, index) => Math.sin(index * n)) };
}

function freeBytes(): number {
  const { bavail, bsize } = fs.statfsSync(disk);
  return bavail * bsize;
}

/** Takes every byte that is left. */
function fill(): void {
  const file = fs.openSync(join(disk, 'ballast'), 'a');
  for (let size = freeBytes(); size > 0; size = freeBytes()) {
    try {
      fs.writeSync(file, Buffer.alloc(size));
    } catch {
      break;
    }
  }
  fs.closeSync(file);
}

async function attempt<T>(what: string, operation: () => Promise<T>): Promise<T | undefined> {
  try {
    return await operation();
  } catch (error) {
    report.failures.push(`${what}: ${error instanceof SnapError ? error.code : error}`);
    return undefined;
  }
}

async function check(snap: Snap, kept: ReadonlyMap<number, string>, when: string): Promise<void> {
  for (const [n, id] of kept) {
    try {
      const { u } = await snap.restore<State>(id);
      if (u[3999] !== Math.sin(3999 * n)) report.wrong.push(`${when}: ${n} is another`);
    } catch (error) {
      report.wrong.push(`${when}: ${n}: ${error}`);
    }
  }
}

const open = () => Snap.open(directory, { compression: false, [INTERNALS]: { packBytes: 200 * KiB } });

let snap = await open();
const kept = new Map<number, string>();
let n = 0;
const save = async (): Promise<boolean> => {
  n++;
  const ticket = await attempt('save', async () => (await snap.save(stateOf(n))).durable);
  if (ticket) kept.set(n, ticket.id);
  return ticket !== undefined;
};
while (await save());
report.saved = kept.size;
fill();
if (how.includes('no reserve')) {
  fs.rmSync(join(directory, 'reserve'), { force: true });
  fill();
}
await save();
report.free.push(freeBytes());
if (how.includes('another process')) await attempt('close', () => snap.close());
fill();

/** `snap WORDS` as another process, after this one has let go of the store. */
function run(...words: string[]): string {
  const args = [command, '--store', directory, '--json', ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) report.failures.push(`snap ${words[0]}: ${status} ${stderr.trim()}`);
  return stdout;
}

const going = [...kept].slice(0, Math.ceil(kept.size / 2));
if (how.includes('another process')) {
  const forget = ['forget', ...going.map(([, id]) => id)];
  let forgot = run(...forget);
  if (forgot === '' && how.includes('index deleted')) {
    fs.rmSync(join(directory, 'index'), { recursive: true });
    forgot = run(...forget);
  }
  report.forgotten = forgot === '' ? 0 : JSON.parse(forgot).snapshots.length;
  report.free.push(freeBytes());
  const collected = run('gc').trimEnd().split('\n').at(-1);
  report.freedBytes = collected ? JSON.parse(collected).freedBytes : 0;
} else {
  for (const [, id] of going) if (await attempt('forget', () => snap.forget(id))) report.forgotten++;
  report.free.push(freeBytes());
  report.freedBytes = (await attempt('gc', () => snap.gc()))?.freedBytes ?? 0;
}
report.free.push(freeBytes());
if (how.includes('another process')) snap = await open();
for (const [gone] of going) kept.delete(gone);
for (let times = 0; times < 3; times++) report.savedAfter += Number(await save());
await check(snap, kept, 'in the same process');
await attempt('close', () => snap.close());
snap = await open();
await check(snap, kept, 'opened again');
if (!(await snap.verify({ readData: true })).ok) report.wrong.push('damage');
if (fs.statSync(join(directory, 'reserve')).size < 128 * KiB)
  report.wrong.push('no space is held back again');
await snap.close();
console.log(JSON.stringify(report));
