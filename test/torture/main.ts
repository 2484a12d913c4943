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
import { Snap } from '../../src/index.js';
import type { Report } from './child.js';
import { isWhole, randomFrom, type Tortured } from './state.js';

/** After this many kills a new store is begun, so that a check stays quick. */
const KILLS_PER_STORE = 25;
/** Share of the kills that come while a child starts, opens and rebuilds; the others come when it saves. */
const EARLY_SHARE = 0.25;
/** Latest moment of a kill, after the start of a child or after it began to save. */
const LATEST_KILL_MS = 250;
/** Share of the starts before which the index, or its seal, is taken away. */
const INDEX_LOST_SHARE = 0.2;
/** Snapshots restored after each kill; all of them when the store is given up. */
const CHECKED_AFTER_KILL = 8;

interface Oracle {
  /** What was promised: id to check and step. */
  durable: Map<string, { check: string; step: number }>;
  /** Forgotten, collected, or perhaps: the child was killed in between. */
  unsure: Set<string>;
}

export interface Tally {
  kills: number;
  stores: number;
  promised: number;
  restored: number;
  problems: string[];
}

const child = fileURLToPath(new URL('./child.js', import.meta.url));

export async function torture(kills: number, seed: number, base: string): Promise<Tally> {
  const random = randomFrom(seed);
  const tally: Tally = { kills: 0, stores: 0, promised: 0, restored: 0, problems: [] };
  while (tally.kills < kills && tally.problems.length === 0) {
    const store = join(base, `store-${tally.stores++}`);
    const oracle: Oracle = { durable: new Map(), unsure: new Set() };
    for (let round = 0; round < KILLS_PER_STORE && tally.kills < kills; round++) {
      const plan = { early: random() < EARLY_SHARE, afterMs: random() * LATEST_KILL_MS };
      if (random() < INDEX_LOST_SHARE) {
        rmSync(join(store, random() < 0.5 ? 'index' : 'clean.json'), { recursive: true, force: true });
      }
      await killOne(store, Math.floor(random() * 2 ** 31), plan, oracle, tally);
      tally.kills++;
      await check(store, oracle, CHECKED_AFTER_KILL, random, tally);
      if (tally.problems.length > 0) return tally;
    }
    await check(store, oracle, Number.POSITIVE_INFINITY, random, tally);
    tally.promised += oracle.durable.size;
    if (tally.problems.length === 0) rmSync(store, { recursive: true, force: true });
  }
  return tally;
}

interface KillPlan {
  /** Count from the start of the child, not from when it begins to save. */
  early: boolean;
  afterMs: number;
}

/** Starts a child and kills it after a while, however far it is. */
function killOne(store: string, seed: number, plan: KillPlan, oracle: Oracle, tally: Tally): Promise<void> {
  const started: ChildProcess = fork(child, [store, String(seed)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  started.stderr?.on('data', (data) => {
    stderr += data;
  });
  let killed = false;
  let timer: NodeJS.Timeout | undefined;
  const killLater = () => {
    timer = setTimeout(() => {
      killed = true;
      started.kill('SIGKILL');
    }, plan.afterMs);
  };
  if (plan.early) killLater();
  started.on('message', (report: Report) => {
    if (report.type === 'ready') {
      if (!plan.early) killLater();
    } else if (report.type === 'durable') oracle.durable.set(report.id, report);
    else if (report.type === 'wrong') tally.problems.push(report.what);
    else if (report.type === 'forgotten') oracle.unsure.add(report.id);
    else oracle.unsure.delete(report.id);
  });
  return new Promise((resolve) => {
    started.on('close', () => {
      clearTimeout(timer);
      if (!killed) tally.problems.push(`a child ended by itself (seed ${seed}): ${stderr}`);
      resolve();
    });
  });
}

async function check(
  store: string,
  oracle: Oracle,
  most: number,
  random: () => number,
  tally: Tally,
): Promise<void> {
  // A child that was killed early may not have made a store; then nothing was promised either.
  const snap = await Snap.open(store);
  try {
    const present = new Set<string>();
    for await (const info of snap.list({ forgotten: true })) present.add(info.id);
    for (const id of oracle.durable.keys()) {
      // What was to be forgotten may be collected by now.
      if (!present.has(id) && !oracle.unsure.has(id)) tally.problems.push(`lost: ${id}`);
    }
    const ids = [...present];
    const chosen =
      most >= ids.length ? ids : Array.from({ length: most }, () => ids[Math.floor(random() * ids.length)]);
    for (const id of new Set(chosen)) {
      if (id === undefined) continue;
      if (!(await isRight(snap, id, oracle))) tally.problems.push(`wrong: ${id}`);
      tally.restored++;
    }
  } finally {
    await snap.close();
  }
}

async function isRight(snap: Snap, id: string, oracle: Oracle): Promise<boolean> {
  try {
    const state = await snap.restore<Tortured>(id);
    const promised = oracle.durable.get(id);
    return isWhole(state) && (promised === undefined || promised.check === state.check);
  } catch (error) {
    // The child may have died between forgetting a snapshot and taking that back.
    const forgotten = error instanceof Error && 'code' in error && error.code === 'SNAP_NOT_FOUND';
    return forgotten && (oracle.unsure.has(id) || !oracle.durable.has(id));
  }
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
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `${tally.kills} kills of ${tally.stores} stores in ${seconds} s; ${tally.promised} snapshots promised, ${tally.restored} restored; lost or wrong: ${tally.problems.length}`,
  );
  if (tally.promised === 0) tally.problems.push('no child was promised anything: nothing was tested');
  for (const problem of tally.problems) console.error(problem);
  if (tally.problems.length > 0) process.exitCode = 1;
  else if (values.store === undefined) rmSync(base, { recursive: true, force: true });
}

await main();
