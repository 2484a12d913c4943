/**
 * Trouble with the disk in mid-run, of every kind that passes: the loop hears of it, its state is untouched, and saving
 * goes on when the cause is gone.
 */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Snap, SnapError } from '../../src/index.js';
import { replayable, seeds } from '../support/budget.js';
import { Random } from '../support/random.js';
import {
  collect,
  type Fault,
  faultsAreOver,
  faulty,
  field,
  runProgram,
  setFault,
  storePath,
} from './support.js';

/** Every save begins a new pack, so that names of files and folders are needed too. */
const ROLLING = { packBytes: 1 };

interface State {
  n: number;
  u: Float64Array;
}

/** Saves that were acknowledged, and what they were. */
class Promised {
  readonly #states = new Map<string, State>();

  async save(snap: Snap, state: State): Promise<void> {
    const { id } = await snap.save(state, { durable: true, step: state.n });
    this.add(id, state);
  }

  add(id: string, state: State): void {
    this.#states.set(id, structuredClone(state));
  }

  /** All of it is there and nothing else, for whoever opens the store next. */
  async check(path: string): Promise<void> {
    await using snap = await Snap.open(path);
    for (const [id, state] of this.#states) assert.deepEqual(await snap.restore(id), state);
    assert.equal((await collect(snap.list())).length, this.#states.size);
    const report = await snap.verify({ readData: true });
    assert.equal(report.ok && report.complete, true, JSON.stringify(report));
  }
}

const CALLS = ['write', 'sync', 'open', 'syncFolder'] as const;
const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EROFS'] as const;

for (const call of CALLS) {
  test(`an error of the system at any ${call}: heard through durable or by the next call, and saving goes on`, async (t) => {
    const path = storePath(t);
    const promised = new Promised();
    const snap = await Snap.open(path, faulty(ROLLING));
    const state: State = { n: 0, u: field(20_000) };
    await promised.save(snap, state);
    for (const code of CODES) {
      const expected = code === 'ENOSPC' && call !== 'sync' ? 'SNAP_NO_SPACE' : 'SNAP_IO';
      for (const heard of ['through durable', 'by the next call'] as const) {
        state.n++;
        state.u[state.n * 50] = state.n;
        const before = structuredClone(state);
        // Sealing the pack before may take some of them, which harms nobody.
        setFault(path, { call, code, times: 3 });
        let failed = 0;
        while (!faultsAreOver(path)) {
          const ticket = await snap.save(state, { step: state.n });
          const outcome = heard === 'through durable' ? ticket.durable : snap.flush();
          await outcome.then(
            () => promised.add(ticket.id, state),
            (error) => {
              assert.equal(error.code, expected, error.message);
              failed++;
            },
          );
        }
        assert.ok(failed > 0, `${code} at ${call} was never heard of`);
        assert.deepEqual(state, before);
        await promised.save(snap, state);
      }
    }
    await snap.close();
    await promised.check(path);
  });
}

for (const seed of seeds(2)) {
  test(`a storm of errors, seed ${seed}: what was acknowledged is there, what failed is not`, async (t) => {
    await replayable(seed, 'storm', () => storm(t, new Random(seed)));
  });
}

async function storm(t: TestContext, random: Random): Promise<void> {
  const path = storePath(t);
  const promised = new Promised();
  const state: State = { n: 0, u: field(30_000) };
  let failed = 0;
  for (let opening = 0; opening < 3; opening++) {
    setFault(path);
    const snap = await Snap.open(path, faulty({ packBytes: random.pick([1, 200_000]) }));
    for (let n = 0; n < 25; n++) {
      state.n++;
      const from = random.below(state.u.length);
      state.u.fill(random.next(), from, from + random.below(random.chance(0.2) ? 30_000 : 300));
      const before = structuredClone(state);
      setFault(path, ...someFaults(random));
      try {
        await promised.save(snap, state);
      } catch (error) {
        assert.ok(error instanceof SnapError && /^SNAP_(IO|NO_SPACE)$/.test(error.code), String(error));
        failed++;
      }
      assert.deepEqual(state, before);
    }
    setFault(path);
    await promised.save(snap, state);
    await snap.close();
    await promised.check(path);
  }
  t.diagnostic(`${failed} of 75 saves failed`);
}

function someFaults(random: Random): Fault[] {
  return Array.from({ length: random.below(3) }, () => ({
    call: random.pick([...CALLS, 'truncate', 'read'] as const),
    code: random.pick(CODES),
    times: random.between(1, 3),
  }));
}

test('a store that is moved away: nothing is acknowledged until it is back', async (t) => {
  for (const options of [{}, faulty(ROLLING)]) {
    const path = storePath(t);
    const promised = new Promised();
    const snap = await Snap.open(path, options);
    const state: State = { n: 0, u: field(20_000) };
    await promised.save(snap, state);
    for (let round = 0; round < 2; round++) {
      renameSync(path, `${path}.away`);
      state.n++;
      state.u.fill(state.n, 100, 200);
      const before = structuredClone(state);
      for (let n = 0; n < 2; n++) {
        await assert.rejects(snap.save(state, { durable: true }), {
          code: 'SNAP_IO',
          message: /moved or deleted/,
        });
      }
      assert.deepEqual(state, before);
      renameSync(`${path}.away`, path);
      await promised.save(snap, state);
    }
    await snap.close();
    await promised.check(path);
  }
});

test('another store in the place of one that was moved away is left alone', async (t) => {
  const path = storePath(t);
  const [promised, others] = [new Promised(), new Promised()];
  const snap = await Snap.open(path, faulty(ROLLING));
  const state: State = { n: 0, u: field(20_000) };
  await promised.save(snap, state);
  renameSync(path, `${path}.away`);
  {
    await using other = await Snap.open(`${path}.other`);
    await others.save(other, { n: 1, u: field(20_000, 1) });
  }
  renameSync(`${path}.other`, path);
  await assert.rejects(snap.save(state, { durable: true }), { code: 'SNAP_IO', message: /moved or deleted/ });
  await snap.close();
  await others.check(path);
  await promised.check(`${path}.away`);
});

test('a process that runs out of file descriptors saves on when there are some again', async (t) => {
  const end = await runProgram('descriptors', [storePath(t)]);
  assert.deepEqual([end.signal, end.code, end.stderr], [null, 0, '']);
});

test('a folder whose permissions are taken away: the loop hears, and saves on when they are back', async (t) => {
  const path = storePath(t);
  mkdirSync(path);
  const end = await runProgram('permissions', [path]);
  if (end.code === 77) return t.skip('cannot become a user whom permissions bind');
  assert.deepEqual([end.signal, end.code, end.stderr], [null, 0, '']);
});
