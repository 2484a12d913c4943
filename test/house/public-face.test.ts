import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as holdfast from '../../src/index.js';

/** A change of this list is a change of the API: it belongs in the CHANGELOG. */
test('the public names', () => {
  assert.deepEqual(Object.keys(holdfast).sort(), ['Random', 'Snap', 'SnapError']);
  const own = (object: object) => Object.getOwnPropertyNames(object).sort();
  assert.deepEqual(
    own(holdfast.Snap).filter((name) => !['length', 'name', 'prototype'].includes(name)),
    ['className', 'copy', 'decode', 'encode', 'migrate', 'open', 'repair', 'replay', 'version'],
  );
  assert.deepEqual(own(holdfast.Snap.prototype), [
    'close',
    'constructor',
    'diff',
    'flush',
    'forget',
    'gc',
    'info',
    'list',
    'loop',
    'prepare',
    'prove',
    'regionSizes',
    'restore',
    'resume',
    'save',
    'stats',
    'tag',
    'tags',
    'unforget',
    'untag',
    'verify',
  ]);
  assert.deepEqual(own(holdfast.Random.prototype), [
    'clone',
    'constructor',
    'fillInteger',
    'fillNormal',
    'fillUniform',
    'integer',
    'jump',
    'normal',
    'shuffle',
    'split',
    'uniform',
  ]);
  assert.equal(typeof holdfast.Snap.prototype[Symbol.asyncDispose], 'function');
});
