// biome-ignore-all lint/complexity/noStaticOnlyClass: what is tested of a class is often its statics
/** `only`: parts of a state, in its shape, without reading the rest. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ClassRegistry, snapDecode, snapEncode, snapName, snapVersion } from '../../src/state/index.js';
import { assertSame } from './same.js';
import {
  assertRefused,
  decodeState,
  load,
  regionsFor,
  roundTrip,
  type Saved,
  save,
  wantedSources,
} from './trips.js';

class Solver {
  grids: unknown[] = [];
  dt = 0.5;
  parent: unknown;
}
class Rng {
  static [snapEncode](): unknown {
    return { s: new Uint32Array(500), n: [1, { deep: 2 }] };
  }
  static [snapDecode](): Rng {
    decoded++;
    return new Rng();
  }
}
let decoded = 0;
const classes = [Solver, Rng];

function state() {
  const shared = new Float64Array(500).fill(4);
  const solver = Object.assign(new Solver(), {
    grids: [{ u: new Float64Array(500).fill(1), v: shared }, { u: shared }],
  });
  const all = {
    step: 7,
    solver,
    probes: new Map<unknown, unknown>([
      ['a', { u: new Int8Array(2000) }],
      [5, 'five'],
      [{ id: 1 }, new Uint8Array(3000)],
    ]),
    tags: new Set([{ x: new Uint8Array(1500) }]),
    rng: new Rng(),
    error: new Error('x', { cause: { u: new Int16Array(1000) } }),
    list: Object.assign([1, 2, 3], { note: { n: 1 } }),
  };
  solver.parent = all;
  return all;
}
const saved: Saved = save(state(), classes);
const paths = saved.regions.map(({ path }) => path);
const only = (...wanted: string[]) => {
  const indexes = regionsFor(saved, wanted);
  const value = decodeState(saved.skeleton, wantedSources(saved, wanted), new ClassRegistry(classes), {
    only: wanted,
  }) as ReturnType<typeof state>;
  return { value, regions: indexes.map((i) => paths[i]) };
};

test('one region, in the shape of the state, and nothing else is read or made', () => {
  decoded = 0;
  const { value, regions } = only('solver.grids[0].u');
  assert.deepEqual(regions, ['solver.grids[0].u']);
  assert.deepEqual(Object.keys(value), ['solver']);
  assert.deepEqual([value.solver instanceof Solver, Object.keys(value.solver)], [true, ['grids']]);
  assert.deepEqual([value.solver.grids.length, 1 in value.solver.grids], [2, false]);
  assertSame(value.solver.grids[0], { u: new Float64Array(500).fill(1) });
  assert.equal(decoded, 0);
});

test('a subtree comes with everything it refers to', () => {
  const { value, regions } = only('solver.grids[1]');
  assert.deepEqual(regions, ['solver.grids[0].v'], 'a region is named by what reached it first');
  assertSame(value.solver.grids[1], { u: new Float64Array(500).fill(4) });
});

test('a reference from a wanted part to what only leads there finds the partial object', () => {
  const { value, regions } = only('solver');
  assert.equal(value.solver.parent, value);
  assert.deepEqual(Object.keys(value), ['solver']);
  assert.deepEqual(regions, ['solver.grids[0].u', 'solver.grids[0].v']);
});

test('several paths keep their sharing', () => {
  const { value } = only('solver.grids[0].v', 'solver.grids[1].u', 'step');
  assert.equal((value.solver.grids[0] as { v: unknown }).v, (value.solver.grids[1] as { u: unknown }).u);
  assert.deepEqual(Object.keys(value), ['step', 'solver'], "in the state's order");
});

test('primitives, and the whole state', () => {
  assertSame(only('step').value, { step: 7 });
  assert.deepEqual(only('step').regions, []);
  assert.deepEqual(only('').regions, paths);
  assert.deepEqual(Object.keys(only('').value), Object.keys(state()));
  assertSame(only().value, {});
});

test('Map entries, by their keys or their order', () => {
  assertSame(only('probes.get("a")').value, { probes: new Map([['a', { u: new Int8Array(2000) }]]) });
  assertSame(only("probes.get('a').u").value, { probes: new Map([['a', { u: new Int8Array(2000) }]]) });
  assertSame(only('probes.get(5)').value, { probes: new Map([[5, 'five']]) });
  assertSame(only('probes.values()[2]').value, { probes: new Map([[{ id: 1 }, new Uint8Array(3000)]]) });
  assertSame(only('probes.keys()[2]').value, { probes: new Map([[{ id: 1 }, undefined]]) });
  assert.deepEqual(only('probes.keys()[2].id').regions, []);
});

test('what cannot be made in part comes whole', () => {
  assert.deepEqual(only('tags.values()[0].x').regions, ['tags.values()[0].x']);
  assertSame(only('tags.values()[0].x').value.tags, state().tags);
  assertSame((only('error.cause.u').value.error as { cause: unknown }).cause, state().error.cause);
  assert.deepEqual(only('solver.grids[0].u.buffer').regions, ['solver.grids[0].u']);
  assertSame(only('list.note.n').value.list, state().list);
  assert.ok(only('rng.s').value.rng instanceof Rng);
  assert.deepEqual(only('rng.s').regions, ['rng.s']);
  assert.ok(only('rng.n[1].deep').value.rng instanceof Rng);
});

test('every region can be asked for by its own name', () => {
  for (const [i, path] of paths.entries()) assert.ok(regionsFor(saved, [path]).includes(i), path);
});

test('a path that leads nowhere is named', () => {
  for (const path of [
    'nothing',
    'solver.grids[2]',
    'solver.grids[0].u[3]',
    'step.x',
    'probes.get("b")',
    'probes.values()[3]',
    'probes.keys()[9]',
    'tags.values()[1]',
    'solver.',
    '[',
    'a b',
    'rng.zzz',
    'list[7]',
    'solver.grids.length',
    'probes.get(x)',
    'solver.toString',
    '__proto__',
  ]) {
    const says = new RegExp(
      `holds nothing at ${JSON.stringify(path).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`,
    );
    assertRefused(() => regionsFor(saved, ['step', path]), 'SNAP_NOT_FOUND', path, says);
    assertRefused(() => load(saved, classes, { only: [path] }), 'SNAP_NOT_FOUND', path, says);
  }
});

test('other spellings of a key find it too', () => {
  assertSame(only("['step']").value, only('step').value);
  assertSame(only('["solver"]["dt"]').value, only('solver.dt').value);
  const digits = save({ o: { 7: 'x' }, sparse: Object.assign(new Array(1000), { 500: 'y' }) });
  assertSame(load(digits, [], { only: ['o["7"]'] }), { o: { 7: 'x' } });
  assertSame(load(digits, [], { only: ['o[7]'] }), { o: { 7: 'x' } });
  assertSame(load(digits, [], { only: ['sparse[500]'] }), {
    sparse: Object.assign(new Array(1000), { 500: 'y' }),
  });
  assert.throws(() => load(digits, [], { only: ['sparse[499]'] }), { code: 'SNAP_NOT_FOUND' });
});

test('a region that is needed and was not given is a programming error', () => {
  assert.throws(
    () =>
      decodeState(
        saved.skeleton,
        paths.map(() => undefined),
        new ClassRegistry(classes),
        { only: ['solver'] },
      ),
    TypeError,
  );
});

test('an instance that must be migrated is asked for whole', () => {
  class Old {
    static [snapName] = 'S';
    a = 1;
    b = 2;
  }
  class New {
    static [snapName] = 'S';
    static [snapVersion] = 1;
  }
  assertRefused(
    () => load(save({ s: new Old() }, [Old]), [New], { only: ['s.a'] }),
    'SNAP_UNSUPPORTED',
    's',
    /migrated as a whole/,
  );
});

test('into a live state, only what was asked for is rewritten', () => {
  const live = roundTrip(state(), classes);
  const { u, v } = live.solver.grids[0] as { u: Float64Array; v: Float64Array };
  u.fill(0);
  v.fill(0);
  live.step = 100;
  live.solver.dt = 9;
  live.probes.set('a', 1).set('mine', 2);
  const wanted = ['solver.grids[0].u', 'probes.get(5)', 'step'];
  const regions = wantedSources(saved, wanted);
  const restored = decodeState(saved.skeleton, regions, new ClassRegistry(classes), {
    into: live,
    only: wanted,
  });
  assert.equal(restored, live);
  assert.deepEqual(
    [u[0], v[0], live.step, live.solver.dt, live.probes.get('a'), live.probes.get('mine')],
    [1, 0, 7, 9, 1, 2],
  );
  assert.deepEqual(Object.keys(live), Object.keys(state()));
});

test('into a live state that lacks the way there', () => {
  const live = { step: 1 };
  assertRefused(
    () => load(saved, classes, { into: live, only: ['solver.grids[0].u'] }),
    'SNAP_MISMATCH',
    'solver',
    /is missing in the live state, and only a part of it was asked for/,
  );
  assertSame(live, { step: 1 });
});
