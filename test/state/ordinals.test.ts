/** Ordinals are those a Map would give, whatever comes again, and hold nothing between walks. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClassRegistry, StateEncoder } from '../../src/state/index.js';
import { Ordinals } from '../../src/state/ordinals.js';
import { Random } from '../support/random.js';

/** More than what is too few to be followed. */
const OBJECTS = 3000;

/** One walk: all of `pool` in an order, some of it met more than once. */
function walk(ordinals: Ordinals, pool: readonly object[], random: Random): void {
  const met = new Map<object, number>();
  for (let turn = 0; turn < pool.length; turn++) {
    const value = pool[random.chance(0.8) ? turn : random.below(pool.length)] as object;
    const known = met.get(value);
    assert.equal(ordinals.of(value), known);
    if (known !== undefined) continue;
    assert.equal(ordinals.add(value), met.size);
    assert.equal(ordinals.of(value), met.size);
    met.set(value, met.size);
    if (random.chance(0.001)) break;
  }
  assert.equal(ordinals.count, met.size);
  ordinals.reset();
  assert.equal(ordinals.count, 0);
}

test('any walks over any objects, more of which are new, or come again', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 30 }),
      fc.array(fc.tuple(fc.constantFrom(0, 0.01, 0.3, 0.6, 1), fc.constantFrom(0.1, 1, 2)), {
        minLength: 1,
        maxLength: 12,
      }),
      (seed, walks) => {
        const random = new Random(seed);
        const ordinals = new Ordinals();
        let pool: object[] = Array.from({ length: OBJECTS }, () => ({}));
        for (const [replaced, size] of walks) {
          const length = Math.max(1, Math.min(4 * OBJECTS, Math.round(pool.length * size)));
          pool = Array.from({ length }, (_, at) => (random.chance(replaced) ? {} : (pool[at] ?? {})));
          walk(ordinals, pool, random);
        }
      },
    ),
    { numRuns: 20 },
  );
});

test('a graph that is saved again and again gives the bytes that a first save of it gives', () => {
  const used = new StateEncoder(new ClassRegistry([]));
  const shared = { shared: true };
  const state: unknown[] = Array.from({ length: OBJECTS }, (_, at) => ({ at, shared, own: [at] }));
  for (let round = 0; round < 8; round++) {
    const fresh = new StateEncoder(new ClassRegistry([]));
    assert.deepEqual(used.encode(state).skeleton.slice(), fresh.encode(state).skeleton.slice());
    state.splice(round * 100, 50, ...Array.from({ length: 30 }, () => ({ round, shared })));
    state.push(state[round]);
  }
});

test('a walk that was cut short leaves nothing to the next', () => {
  const used = new StateEncoder(new ClassRegistry([]));
  const objects: unknown[] = Array.from({ length: OBJECTS }, (_, at) => ({ at }));
  for (let round = 0; round < 5; round++) {
    used.encode(objects);
    assert.throws(() => used.encode([objects, () => {}]), { code: 'SNAP_UNSUPPORTED' });
  }
  const fresh = new StateEncoder(new ClassRegistry([]));
  assert.deepEqual(used.encode(objects).skeleton.slice(), fresh.encode(objects).skeleton.slice());
});

test('objects that were saved can be collected', async (t) => {
  const { gc } = globalThis;
  if (!gc) return t.skip('garbage cannot be collected here: node --expose-gc');
  const encoder = new StateEncoder(new ClassRegistry([]));
  let objects: object[] | undefined = Array.from({ length: OBJECTS }, (_, at) => ({ at }));
  for (let round = 0; round < 5; round++) encoder.encode(objects);
  const watched = objects.map((object) => new WeakRef(object));
  objects = undefined;
  await new Promise((resolve) => setImmediate(resolve));
  gc();
  assert.equal(watched.filter((object) => object.deref() !== undefined).length, 0);
  assert.ok(encoder.encode([]).skeleton.length > 0);
});
