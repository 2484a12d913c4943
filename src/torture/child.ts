/**
 * A program that is going to be killed: saves, tags, forgets, collects, restores, closes and reopens. It tells its parent
 * what it was promised, as soon as it was promised, and what it is about to do.
 */

import { INTERNALS } from '../api/options.js';
import { Snap } from '../index.js';
import { AIMS, type Aim, chances, type Moment } from './moments.js';
import { advance, initial, isWhole, randomFrom, type Tortured } from './state.js';

export type Report =
  | { type: 'moment'; moment: Moment }
  | { type: 'durable'; id: string; step: number; check: string; tag: string | undefined }
  | { type: 'forgotten' | 'unforgotten'; id: string }
  | { type: 'wrong'; what: string };

const [, , path, seedText, aimName] = process.argv as [string, string, string, string, string];
const random = randomFrom(Number(seedText));
const aim = AIMS.find(({ name }) => name === aimName) as Aim;
const chance = chances(aim);
const report = (message: Report) => process.send?.(message);
/** The same, and has left this process when it resolves. */
const reported = (message: Report) =>
  new Promise((resolve) => process.send?.(message, undefined, {}, resolve));
const entering = (moment: Moment) => report({ type: 'moment', moment });

/** It was restored, forgotten and collected before. */
function ignoreGone(error: { code?: string }): void {
  if (error.code !== 'SNAP_NOT_FOUND') throw error;
}

function ignoreClosed(error: { code?: string }): void {
  if (error.code !== 'SNAP_CLOSED') report({ type: 'wrong', what: `gc: ${String(error)}` });
}

const known: { id: string; check: string }[] = [];
let collecting: Promise<unknown> | undefined;
let snap = await open();
let state = await resume();

async function open(): Promise<Snap> {
  entering('open');
  return Snap.open(path, { [INTERNALS]: { packBytes: aim.rolls ? 1 : 300_000 } });
}

async function resume(): Promise<Tortured> {
  const resumed = await snap.resume(() => initial(Number(seedText)));
  if (!isWhole(resumed)) report({ type: 'wrong', what: `resumed a torn state at step ${resumed.step}` });
  return resumed;
}

async function reopen(): Promise<void> {
  entering('close');
  await snap.close();
  snap = await open();
  state = await resume();
}

async function restore(): Promise<void> {
  const { id, check } = known[Math.floor(random() * known.length)] as (typeof known)[0];
  entering('restore');
  state = await snap.restore<Tortured>(id);
  if (!isWhole(state) || state.check !== check) report({ type: 'wrong', what: `restored ${id} wrongly` });
}

async function forgetAndBack(): Promise<void> {
  const { id } = await snap.info('latest');
  // Told before it is done: who is killed in between has perhaps forgotten it.
  await reported({ type: 'forgotten', id });
  await snap.forget(id);
  await snap.unforget(id);
  report({ type: 'unforgotten', id });
}

/** What is forgotten goes for good, while saving goes on. */
async function collect(): Promise<void> {
  for (const { id } of known.splice(0, 3)) {
    await reported({ type: 'forgotten', id });
    await snap.forget(id).catch(ignoreGone);
  }
  entering('collect');
  collecting ??= snap.gc().finally(() => {
    collecting = undefined;
  });
  collecting.catch(ignoreClosed);
}

for (;;) {
  advance(state, random);
  const tag = random() < 0.2 ? `tag-${Math.floor(random() * 5)}` : undefined;
  const { step, check } = state;
  entering('save');
  const ticket = await snap.save(state, tag === undefined ? { step } : { step, tag });
  const promised = ticket.durable.then(({ id }) => {
    known.push({ id, check });
    report({ type: 'durable', id, step, check, tag });
  });
  if (random() < 0.5) await promised;
  if (random() < chance.close) await reopen();
  else if (random() < chance.restore && known.length > 0) await restore();
  else if (random() < chance.forget) await forgetAndBack();
  else if (random() < chance.collect && known.length > 5) await collect();
}
