/**
 * A run of simulated days under `keep`, with everything that people do beside it: its store stays within its bound,
 * every command works, and what is kept restores.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Snap } from '../../src/index.js';
import { MAIN, scratch } from '../cli/support.js';
import { budget, skippedInBrief } from '../support/budget.js';
import { advance, type DaysState, FIELD_LENGTH, initial, KEEP } from './days-loop.js';

/** 24 of them with HOLDFAST_SOAK=2; all commands have to find the time. */
const DAYS = Math.max(12, budget(12));
/** What the policy keeps at most, and what may have been saved since it was last applied. */
const MOST_KEPT = KEEP.last + KEEP.hourly + KEEP.daily + KEEP.weekly + 1;
/** Saves after which the policy is applied, and those made while it is. */
const MOST_SAVES = 256 + 100;
const run = promisify(execFile);

function packBytes(store: string): number {
  let sum = 0;
  for (const name of readdirSync(join(store, 'packs'))) {
    sum += statSync(join(store, 'packs', name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}

test(`${DAYS} days under keep, looked at and tended all the while`, { skip: skippedInBrief }, async (t) => {
  const folder = scratch(t);
  const store = join(folder, 'store');
  const program = fileURLToPath(new URL('./days-loop.js', import.meta.url));
  const loop = spawn(process.execPath, [program, store, String(DAYS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => loop.kill('SIGKILL'));
  const ended = once(loop, 'exit');
  let running = true;
  void ended.then(() => {
    running = false;
  });
  await once(loop.stdout, 'data');

  const commands: string[][] = [
    ['ls'],
    ['watch', '--count', '1'],
    ['gc'],
    ['verify', '--read-data'],
    ['diff', 'latest', 'latest'],
    ['stats'],
    ['gc', '--keep-last', '2', '--dry-run'],
    ['restore', 'latest', '--to', 'out', '--force'],
    ['tag', 'looked-at', 'latest'],
  ];
  let largest = 0;
  let done = 0;
  while (running) {
    const args = commands[done++ % commands.length] as string[];
    await run(process.execPath, [MAIN, '--store', store, ...args], { cwd: folder });
    largest = Math.max(largest, packBytes(store));
  }
  const [code] = await ended;
  assert.equal(code, 0);
  assert.ok(done >= commands.length, `only ${done} commands found the time`);

  await using snap = await Snap.open(store, { run: 'days' });
  const kept: number[] = [];
  const expected = new Map<number, DaysState>();
  for await (const { step } of snap.list()) kept.push(step as number);
  const state = initial();
  while (state.step < DAYS * 48) {
    advance(state);
    if (kept.includes(state.step)) expected.set(state.step, structuredClone(state));
  }
  for (const step of kept) assert.deepEqual(await snap.restore({ step }), expected.get(step), `step ${step}`);
  // The tag keeps one more.
  assert.ok(kept.length <= MOST_KEPT + 1, `${kept.length} snapshots are kept`);
  assert.ok((await snap.verify({ readData: true })).ok);
  const stateBytes = FIELD_LENGTH * 8;
  t.diagnostic(
    `${done} commands beside ${DAYS * 48} saves; ${kept.length} snapshots kept; packs at most ${largest} bytes, ` +
      `all states ${DAYS * 48 * stateBytes}`,
  );
  // Every kept state in full and what may be saved before the next collection, twice over while packs are repacked.
  const bound = 2 * (MOST_KEPT * stateBytes + MOST_SAVES * 3 * 65_536);
  assert.ok(largest < bound, `${largest} bytes at most, not ${bound}`);
});
