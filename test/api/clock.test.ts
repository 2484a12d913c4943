/** Clocks jump: back when they are set, to 1970 where a battery is empty, ahead where somebody mistyped. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { INTERNALS } from '../../src/api/options.js';
import { Snap } from '../../src/index.js';
import { snap as command } from '../cli/support.js';
import { collect, storePath } from './support.js';

const DAY_MS = 24 * 3600 * 1000;
const START = Date.UTC(2026, 5, 1);
/** What the clock shows at one save after another. */
const TIMES = [
  START,
  START + DAY_MS,
  START - 400 * DAY_MS,
  0,
  START + DAY_MS / 2,
  START + 3650 * DAY_MS,
  START,
];

/** Sets the clock of this thread, which gives snapshots their times. */
function clockOf(t: TestContext): (time: number) => void {
  const { now } = Date;
  t.after(() => {
    Date.now = now;
  });
  return (time) => {
    Date.now = () => time;
  };
}

const jumping = { [INTERNALS]: { ioModule: new URL('./jumping-io.js', import.meta.url).href } };

test('whatever the clocks show, snapshots are in the order of their saves, also from a new index', async (t) => {
  const path = storePath(t);
  const setClock = clockOf(t);
  for (const [step, time] of TIMES.entries()) {
    // Reopened now and then: the clock may jump while nobody has the store.
    const snap = await Snap.open(path, jumping);
    setClock(time);
    const info = await (await snap.save({ step }, { step })).durable;
    assert.equal(info.createdAt.getTime(), time);
    assert.deepEqual(await snap.restore(), { step });
    await snap.close();
  }
  for (const index of ['kept', 'made anew']) {
    if (index === 'made anew') rmSync(join(path, 'index'), { recursive: true });
    await using snap = await Snap.open(path, jumping);
    const infos = await collect(snap.list());
    assert.deepEqual(
      infos.map(({ step, createdAt }) => [step, createdAt.getTime()]),
      [...TIMES.entries()].reverse(),
    );
    assert.deepEqual(await snap.resume(() => assert.fail('begun anew')), { step: TIMES.length - 1 });
    assert.equal((await snap.verify({ readData: true })).ok, true);
  }
  assert.equal(command(['--store', path, 'ls']).status, 0);
});

test('before: the newest save whose own clock showed less, not the one whose clock showed most', async (t) => {
  const setClock = clockOf(t);
  await using snap = await Snap.open(storePath(t));
  for (const [step, time] of TIMES.entries()) {
    setClock(time);
    await snap.save({ step }, { step });
  }
  const stepBefore = async (time: number) =>
    (await snap.restore<{ step: number }>({ before: new Date(time) })).step;
  for (const bound of [...TIMES, START + 1, START - 1, START + 9000 * DAY_MS]) {
    const expected = TIMES.findLastIndex((time) => time < bound);
    if (expected < 0) await assert.rejects(stepBefore(bound), { code: 'SNAP_NOT_FOUND' });
    else assert.equal(await stepBefore(bound), expected, new Date(bound).toISOString());
  }
});

test('durations do not come from clocks that jump', async (t) => {
  const path = storePath(t);
  const setClock = clockOf(t);
  await using snap = await Snap.open(path, jumping);
  // The clock was set after the process began, and before its writer thread did.
  for (const origin of [-DAY_MS, DAY_MS]) {
    Object.defineProperty(performance, 'timeOrigin', {
      value: performance.timeOrigin + origin,
      configurable: true,
    });
    t.after(() => Reflect.deleteProperty(performance, 'timeOrigin'));
    for (const time of TIMES) {
      setClock(time);
      const ticket = await snap.save({ time });
      const { stallMs, durableMs = Number.NaN } = await ticket.durable;
      assert.ok(stallMs >= 0 && stallMs < 60_000, `held for ${stallMs} ms`);
      assert.ok(durableMs >= stallMs && durableMs < 60_000, `durable after ${durableMs} ms`);
    }
  }
  for await (const { durableMs = 0 } of snap.list()) assert.ok(durableMs >= 0 && durableMs < 60_000);
});
