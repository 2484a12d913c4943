/**
 * The real kill: children use a store and are SIGKILLed at random moments; this process, outside of them, keeps
 * what they were promised and checks after every kill that it is there, bit for bit.
 *
 *   npm run torture -- [--kills 300] [--seed N] [--store DIR]
 *
 * Ends with status 1 at the first snapshot that is lost or wrong, and leaves that store for a look.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kill } from './kill.js';
import { AIMS, type Aim } from './moments.js';
import { Oracle, onDamage } from './oracle.js';
import type { Look } from './reader.js';
import { randomFrom } from './state.js';

/** After this many kills a new store is begun, so that a check stays quick. */
const KILLS_PER_STORE = 25;
/** Snapshots restored after each kill; all of them when the store is given up. */
const CHECKED_AFTER_KILL = 8;
/** Shares of the kills: the child is stopped before; a reader looks while it is killed. */
const STOPPED_SHARE = 0.15;
const WATCHED_SHARE = 0.2;
const LONGEST_STOP_MS = 30;

interface Tally {
  kills: number;
  /** By name of the aim. */
  hits: Map<string, number>;
  missed: number;
  stopped: number;
  looks: number;
  promised: number;
  restored: number;
  problems: string[];
}

const READER = fileURLToPath(new URL('./reader.js', import.meta.url));

async function torture(kills: number, seed: number, base: string): Promise<Tally> {
  const random = randomFrom(seed);
  const hits = new Map(AIMS.map(({ name }) => [name, 0]));
  const tally: Tally = {
    kills: 0,
    hits,
    missed: 0,
    stopped: 0,
    looks: 0,
    promised: 0,
    restored: 0,
    problems: [],
  };
  let oracle = new Oracle();
  onDamage((message) => oracle.problems.push(message));
  for (let number = 0; tally.kills < kills && tally.problems.length === 0; number++) {
    const store = join(base, `store-${number}`);
    oracle = new Oracle();
    const reader = fork(READER, [store]);
    for (let round = 0; round < KILLS_PER_STORE && tally.kills < kills; round++) {
      await killOnce(store, reader, oracle, random, tally);
      await oracle.check(store, CHECKED_AFTER_KILL, random);
      if (oracle.problems.length > 0) break;
    }
    if (oracle.problems.length === 0) await oracle.check(store, Number.POSITIVE_INFINITY, random);
    reader.disconnect();
    tally.promised += oracle.promised;
    tally.restored += oracle.restored;
    tally.problems.push(...oracle.problems);
    if (tally.problems.length === 0) rmSync(store, { recursive: true, force: true });
  }
  return tally;
}

async function killOnce(
  store: string,
  reader: ChildProcess,
  oracle: Oracle,
  random: () => number,
  tally: Tally,
): Promise<void> {
  const aim = drawAim(random);
  if (aim.losesIndex) {
    rmSync(join(store, random() < 0.5 ? 'index' : 'clean.json'), { recursive: true, force: true });
  }
  const stoppedMs = random() < STOPPED_SHARE ? random() * LONGEST_STOP_MS : 0;
  const watched = random() < WATCHED_SHARE;
  let looking: Promise<void> | undefined;
  const watch = () => {
    if (watched) looking ??= look(reader, oracle, tally);
  };
  const hit = await kill(
    store,
    {
      aim,
      seed: Math.floor(random() * 2 ** 31),
      skips: Math.floor(random() * (aim.skips + 1)),
      afterMs: random() * aim.withinMs,
      stoppedMs,
      continued: random() < 0.5,
      onSaving: watch,
    },
    oracle,
  );
  await looking;
  tally.kills++;
  if (stoppedMs > 0) tally.stopped++;
  if (hit) tally.hits.set(aim.name, (tally.hits.get(aim.name) ?? 0) + 1);
  else tally.missed++;
}

function drawAim(random: () => number): Aim {
  let left = random() * AIMS.reduce((sum, { share }) => sum + share, 0);
  for (const aim of AIMS) {
    left -= aim.share;
    if (left < 0) return aim;
  }
  return AIMS[0] as Aim;
}

/** A look that is begun beside the child, and ends perhaps after it was killed. */
async function look(reader: ChildProcess, oracle: Oracle, tally: Tally): Promise<void> {
  const seen = await new Promise<Look>((resolve) => {
    reader.once('message', resolve);
    reader.once('exit', () => resolve({ wrong: 'the reader ended' }));
    reader.send('look');
  });
  if ('wrong' in seen) oracle.problems.push(seen.wrong);
  tally.looks++;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { kills: { type: 'string' }, seed: { type: 'string' }, store: { type: 'string' } },
  });
  const kills = Number(values.kills ?? 300);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
    console.error('usage: npm run torture -- [--kills N] [--seed N] [--store DIR]');
    process.exitCode = 2;
    return;
  }
  const base = values.store ?? mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
  console.log(`seed ${seed}, folder ${base}`);
  const began = performance.now();
  const tally = await torture(kills, seed, base);
  tell(tally, (performance.now() - began) / 1000);
  if (tally.problems.length > 0) process.exitCode = 1;
  else if (values.store === undefined) rmSync(base, { recursive: true, force: true });
}

function tell(tally: Tally, seconds: number): void {
  const { kills, hits, missed, stopped, looks, promised, restored, problems } = tally;
  const where = [...hits].map(([name, count]) => `${name} ${count}`).join(', ');
  console.log(
    `${kills} kills in ${seconds.toFixed(0)} s (${(seconds / kills).toFixed(2)} s each): ${where}, elsewhere ${missed}`,
  );
  console.log(`${stopped} were stopped before; a reader looked ${looks} times beside them`);
  console.log(`${promised} snapshots promised, ${restored} restored; lost or wrong: ${problems.length}`);
  if (promised === 0) problems.push('no child was promised anything: nothing was tested');
  for (const problem of problems) console.error(problem);
}

await main();
