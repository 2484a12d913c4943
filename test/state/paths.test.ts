/** Paths: what is written can be read, and means the same. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  indexSegment,
  joinPath,
  keySegment,
  mapKeySegment,
  mapValueSegment,
  memberSegment,
  parsePath,
  type Segment,
  stateAt,
} from '../../src/state/paths.js';

const text = fc.oneof(
  fc.constantFrom('a', 'get', 'keys', 'values', 'a b', '', '"', "'", '\\', ']', '1', 'a.b', '…', '\ud800'),
  fc.string(),
  fc.array(fc.nat({ max: 0xffff })).map((units) => String.fromCharCode(...units)),
);
const primitive = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.constantFrom(null, undefined, true, false),
  text.map((key) => Symbol.for(key)),
);
const segment: fc.Arbitrary<Segment> = fc.oneof(
  text.map((key): Segment => ({ kind: 'key', key })),
  fc.nat().map((index): Segment => ({ kind: 'index', index })),
  primitive.map((key): Segment => ({ kind: 'get', key })),
  fc.nat().map((index): Segment => ({ kind: 'mapKey', index })),
  fc.nat().map((index): Segment => ({ kind: 'member', index })),
);

function write(segment: Segment): string {
  switch (segment.kind) {
    case 'key':
      return keySegment(segment.key);
    case 'index':
      return indexSegment(segment.index);
    case 'get':
      return mapValueSegment(segment.key, 0);
    case 'mapKey':
      return mapKeySegment(segment.index);
    default:
      return memberSegment(segment.index);
  }
}

test('any path that is written is read as what it was', () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 10 }), (segments) => {
      const path = joinPath(segments.map(write));
      assert.deepEqual(parsePath(path), segments, path);
    }),
    { numRuns: 5000 },
  );
});

test('no text makes the reader throw', () => {
  const piece = fc.constantFrom(
    'a',
    '.',
    '[',
    ']',
    '"',
    "'",
    '\\',
    '1',
    'get(',
    ')',
    '.keys()[',
    '.values()[',
    '-',
    'e9',
    'n',
    'Symbol.for(',
    'null',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (path) => {
        const segments = parsePath(path);
        assert.ok(segments === undefined || Array.isArray(segments));
      },
    ),
    { numRuns: 5000 },
  );
});

test('paths read well', () => {
  const path = ['solver', 'grids'].map(keySegment).concat(indexSegment(0), keySegment('u'));
  assert.equal(joinPath(path), 'solver.grids[0].u');
  assert.equal(joinPath([keySegment('a b'), keySegment('größe')]), '["a b"].größe');
  assert.equal(joinPath([mapValueSegment('a', 0), memberSegment(3)]), 'get("a").values()[3]');
  assert.equal(joinPath([mapValueSegment({}, 4)]), 'values()[4]');
  assert.equal(joinPath([]), '');
});

test('a path in a message begins at the state', () => {
  assert.deepEqual(['', 'a.b', '[0]', '["a b"]', 'get(1)'].map(stateAt), [
    'state',
    'state.a.b',
    'state[0]',
    'state["a b"]',
    'state.get(1)',
  ]);
});
