/**
 * A program that is going to be killed: saves, tags, forgets, collects, restores, closes and reopens, and tells its parent
 * what it was promised, as soon as it was promised.
 */

import { INTERNALS } from '../../src/api/options.js';
import { Snap } from '../../src/index.js';
import { advance, initial, isWhole, randomFrom, type Tortured } from './state.js';

export type Report =
  | { type: 'ready' }
  | { type: 'durable'; id: string; step: number; check: string; tag: string | undefined }
  | { type: 'forgotten' | 'unforgotten'; id: string }
  | { type: 'wrong'; what: string };

const [, , path, seedText] = process.argv as [string, string, string, string];
const random = randomFrom(Number(seedText));
const report = (message: Report) => process.send?.(message);
/** The same, and has left this process when it resolves. */
const reported = (message: Report) =>
  new Promise((resolve) => process.send?.(message, undefined, {}, resolve));
const open = () => Snap.open(path, { [INTERNALS]: { packBytes: 300_000 } });

/** It was restored, forgotten and collected before. */
function ignoreGone(error: { code?: string }): void {
  if (error.code !== 'SNAP_NOT_FOUND') throw error;
}

function ignoreClosed(error: { code?: string }): void {
  if (error.code !== 'SNAP_CLOSED') report({ type: 'wrong', what: `gc: ${String(error)}` });
}

let collecting: Promise<unknown> | undefined;
let snap = await open();
let state = await snap.resume(() => initial(Number(seedText)));
if (!isWhole(state)) report({ type: 'wrong', what: `resumed a torn state at step ${state.step}` });
report({ type: 'ready' });
const known: { id: string; check: string }[] = [];

for (;;) {
  advance(state, random);
  const tag = random() < 0.2 ? `tag-${Math.floor(random() * 5)}` : undefined;
  const { step, check } = state;
  const ticket = await snap.save(state, tag === undefined ? { step } : { step, tag });
  const promised = ticket.durable.then(({ id }) => {
    known.push({ id, check });
    report({ type: 'durable', id, step, check, tag });
  });
  const choice = random();
  if (choice < 0.5) await promised;
  if (choice > 0.97) {
    await snap.close();
    snap = await open();
    state = await snap.resume(() => initial(0));
  } else if (choice > 0.9 && known.length > 0) {
    const { id, check: expected } = known[Math.floor(random() * known.length)] as (typeof known)[0];
    const restored = await snap.restore<Tortured>(id);
    if (!isWhole(restored) || restored.check !== expected)
      report({ type: 'wrong', what: `restored ${id} wrongly` });
    state = restored;
  } else if (choice > 0.87) {
    const { id } = await snap.info('latest');
    // Told before it is done: who is killed in between has perhaps forgotten it.
    await reported({ type: 'forgotten', id });
    await snap.forget(id);
    await snap.unforget(id);
    report({ type: 'unforgotten', id });
  } else if (choice > 0.8 && known.length > 10) {
    // What is forgotten goes for good, while saving goes on.
    for (const { id } of known.splice(0, 5)) {
      await reported({ type: 'forgotten', id });
      await snap.forget(id).catch(ignoreGone);
    }
    collecting ??= snap.gc().finally(() => {
      collecting = undefined;
    });
    collecting.catch(ignoreClosed);
  }
}
