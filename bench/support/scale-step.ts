/** One step of the scale benchmark in a fresh process, so that its memory is its own. Prints a line of JSON. */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Snap } from '../../src/index.js';
import { cpuMillis } from './costs.js';
import { sleep } from './program.js';
import { makeChunks, makeSnapshots } from './scale-store.js';

const [, , step = '', folder = '', size = '0'] = process.argv;

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const ms = performance.now() - start;
  const line = { what, ms, cpuMs: cpuMillis(cpu), peakBytes: peakBytes(), result };
  console.log(JSON.stringify(line));
}

/** Most memory that this process has held so far. */
function peakBytes(): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return peak ? Number(peak[1]) * 1024 : Number.NaN;
}

async function opened(
  what: string,
  readOnly: boolean,
  use: (snap: Snap) => Promise<void> = async () => {},
): Promise<void> {
  let told = 0;
  let snap: Snap | undefined;
  await timed(what, async () => {
    snap = await Snap.open(folder, { readOnly, run: 'run-0', onProgress: () => told++ });
    return told;
  });
  if (!snap) return;
  await use(snap);
  await timed('close', () => (snap as Snap).close());
}

async function useEverything(snap: Snap): Promise<void> {
  let newest = '';
  await timed('latest', async () => {
    newest = (await snap.info('latest')).id;
  });
  await timed('info of an id prefix', () => snap.info(newest.slice(0, 12)).then(() => 1));
  await timed('info of a tag', () => snap.info('tag-77').then(() => 1));
  await timed('restore of a step', () => snap.info({ step: 0 }).then(() => 1));
  await timed('first page of list', async () => (await snap.list().next()).value?.id.length);
  await timed('list', async () => {
    let listed = 0;
    for await (const _ of snap.list()) listed++;
    return listed;
  });
  await timed('tags', async () => (await snap.tags()).size);
  await timed('stats', async () => (await snap.stats()).snapshots);
  await timed('verify', async () => (await snap.verify()).snapshots);
  await timed('a save', async () => {
    await snap.save({ n: 1 }, { durable: true });
  });
}

if (step === 'idle') {
  const snap = await Snap.open(folder);
  await sleep(200);
  await timed('idle', async () => 0);
  await snap.close();
} else if (step === 'make-chunks') {
  await timed('make', () => makeChunks(folder, Number(size)));
} else if (step === 'make-snapshots') {
  await timed('make', () => makeSnapshots(folder, Number(size)));
} else if (step === 'clean') await opened('open, closed cleanly', false);
else if (step === 'reader') await opened('open to read only', true);
else if (step === 'rebuild') {
  rmSync(join(folder, 'index'), { recursive: true });
  await opened('open, the index gone', false);
} else if (step === 'use') await opened('open', false, useEverything);
else throw new Error(`there is no step ${step}`);
