/** Properties of arbitrary states. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import { walkPaths } from '../../src/state/graph-paths.js';
import { ClassRegistry, StateEncoder } from '../../src/state/index.js';
import { parseSkeleton } from '../../src/state/parse.js';
import { parsePath, type Segment } from '../../src/state/paths.js';
import { build, CLASSES, graphSpec, Secret, twoSpecs } from './graph-arbitrary.js';
import { assertSame, difference } from './same.js';
import { decodeState, load, roundTrip, save, wantedSources } from './trips.js';

fc.configureGlobal({ includeErrorInReport: true });
const RUNS = Number(process.env.FC_RUNS ?? 1000);
const inlineBytes = fc.constantFrom(0, 64, 1024, 1e6);

/** Secrets compare by what is inside them. */
function open(state: unknown[]): unknown[] {
  return [state, state.map((item) => (item instanceof Secret ? Secret.inside(item) : 0))];
}

test('any graph comes back the same', () => {
  fc.assert(
    fc.property(graphSpec, inlineBytes, (specs, inline) => {
      const state = build(specs);
      assertSame(open(roundTrip(state, CLASSES, inline)), open(state));
    }),
    { numRuns: RUNS },
  );
});

test('the same graph gives the same bytes, from a new encoder, a used one, and after a round trip', () => {
  const used = new StateEncoder(new ClassRegistry(CLASSES));
  fc.assert(
    fc.property(graphSpec, (specs) => {
      const state = build(specs);
      const first = save(state, CLASSES);
      assert.deepEqual(used.encode(state).skeleton.slice(), first.skeleton);
      assert.deepEqual(save(build(specs), CLASSES).skeleton.length, first.skeleton.length);
      const again = save(load(first, CLASSES), CLASSES);
      assert.deepEqual(again.skeleton, first.skeleton);
      assert.deepEqual(again.bytes, first.bytes);
    }),
    { numRuns: RUNS },
  );
});

test('restoring into any live state makes it the same, or refuses and changes nothing', () => {
  let fitted = 0;
  fc.assert(
    fc.property(twoSpecs, inlineBytes, ([liveSpecs, savedSpecs], inline) => {
      const live = build(liveSpecs);
      const before = roundTrip(live, CLASSES);
      const state = build(savedSpecs);
      const saved = save(state, CLASSES, inline);
      let restored: unknown;
      try {
        restored = load(saved, CLASSES, { into: live });
      } catch (error) {
        assert.ok(isSnapError(error, 'SNAP_MISMATCH'), (error as Error).stack);
        assertSame(open(live), open(before));
        return;
      }
      fitted++;
      assert.equal(restored, live);
      assertSame(open(live), open(state));
    }),
    { numRuns: RUNS },
  );
  assert.ok(fitted > RUNS / 10, `${fitted} of ${RUNS} fitted`);
});

test('restoring into the very state that was saved keeps its objects', () => {
  fc.assert(
    fc.property(graphSpec, (specs) => {
      const live = build(specs);
      const before = [...live];
      load(save(live, CLASSES), CLASSES, { into: live });
      for (const [i, item] of before.entries()) {
        const kind = specs[i]?.kind as string;
        const isValue = ['date', 'regexp', 'boxed', 'error', 'fault', 'secret'].includes(kind);
        assert.equal(live[i] === item, !isValue, kind);
      }
    }),
    { numRuns: RUNS },
  );
});

test('`only` gives what stands at a path, and needs no other regions', () => {
  fc.assert(
    fc.property(graphSpec, inlineBytes, fc.nat(), (specs, inline, pick) => {
      const state = build(specs);
      const saved = save(state, CLASSES, inline);
      const nodes = [...walkPaths(parseSkeleton(saved.skeleton))];
      const path = (nodes[pick % nodes.length] as (typeof nodes)[number]).path();
      const only = [path];
      const part = decodeState(saved.skeleton, wantedSources(saved, only), new ClassRegistry(CLASSES), {
        only,
      });
      const [expected, actual] = [at(state, path), at(part, path)];
      // What the path leads through is partial, so only what does not lead back there can be compared whole.
      if (!leadsBack(expected, state, path)) assert.equal(difference(expected, actual), undefined, path);
      else assert.equal(typeof actual, typeof expected);
    }),
    { numRuns: RUNS },
  );
});

test('`only` and `into` together rewrite what stands at a path, or refuse and change nothing', () => {
  let fitted = 0;
  fc.assert(
    fc.property(twoSpecs, inlineBytes, fc.nat(), ([liveSpecs, savedSpecs], inline, pick) => {
      const live = build(liveSpecs);
      const before = roundTrip(live, CLASSES);
      const state = build(savedSpecs);
      const saved = save(state, CLASSES, inline);
      const nodes = [...walkPaths(parseSkeleton(saved.skeleton))];
      const path = (nodes[pick % nodes.length] as (typeof nodes)[number]).path();
      const regions = wantedSources(saved, [path]);
      try {
        decodeState(saved.skeleton, regions, new ClassRegistry(CLASSES), { into: live, only: [path] });
      } catch (error) {
        assert.ok(isSnapError(error, 'SNAP_MISMATCH'), (error as Error).stack);
        assertSame(open(live), open(before));
        return;
      }
      fitted++;
      // A Map keeps its other entries, so a place named by its order may have moved.
      if (path.includes('keys()') || path.includes('values()')) return;
      const [expected, actual] = [at(state, path), at(live, path)];
      if (!leadsBack(expected, state, path)) assert.equal(difference(expected, actual), undefined, path);
    }),
    { numRuns: RUNS },
  );
  assert.ok(fitted > RUNS / 10, `${fitted} of ${RUNS} fitted`);
});

/** Follows a path through values. */
function at(state: unknown, path: string): unknown {
  return way(state, path).at(-1);
}

function way(state: unknown, path: string): unknown[] {
  const passed: unknown[] = [state];
  for (const segment of parsePath(path) ?? []) passed.push(step(passed.at(-1), segment));
  return passed;
}

function step(here: unknown, segment: Segment): unknown {
  switch (segment.kind) {
    case 'key':
      return (here as Record<string, unknown>)[segment.key];
    case 'index':
      return (here as unknown[])[segment.index];
    case 'get':
      return Map.prototype.get.call(here as Map<unknown, unknown>, segment.key);
    default: {
      if (here instanceof Set) return [...here][segment.index];
      const entries = [...Map.prototype.entries.call(here as Map<unknown, unknown>)];
      // A Map restored in part has only the entry that was asked for.
      const entry = entries[Math.min(segment.index, entries.length - 1)];
      return entry?.[segment.kind === 'mapKey' ? 0 : 1];
    }
  }
}

/** True if what is reached from here includes anything on the way to it. */
function leadsBack(from: unknown, state: unknown, path: string): boolean {
  const passed = new Set(way(state, path).slice(0, -1));
  const met = new Set<unknown>();
  const stack = [from];
  while (stack.length > 0) {
    const item = stack.pop();
    if (typeof item !== 'object' || item === null || met.has(item)) continue;
    if (passed.has(item)) return true;
    met.add(item);
    if (item instanceof Map)
      for (const [key, value] of Map.prototype.entries.call(item)) stack.push(key, value);
    else if (item instanceof Set) stack.push(...item);
    if (ArrayBuffer.isView(item))
      stack.push(
        ...Object.keys(item)
          .filter((key) => !/^\d+$/.test(key))
          .map((key) => (item as unknown as Record<string, unknown>)[key]),
      );
    else for (const key of Reflect.ownKeys(item)) stack.push((item as Record<PropertyKey, unknown>)[key]);
  }
  return false;
}
