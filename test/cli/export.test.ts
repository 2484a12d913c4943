/** What the export is made of, apart from the command. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ArrayPart, StateParts } from '../../src/api/parts.js';
import { checkSize } from '../../src/cli/export/arrays.js';
import { type ExportOptions, exportParts } from '../../src/cli/export/export.js';
import { namesFor } from '../../src/cli/export/names.js';
import { npyHeader } from '../../src/cli/export/npy.js';
import { budget } from '../support/budget.js';
import { readNpy } from '../support/npy.js';
import { scratch } from './support.js';

const word = fc.oneof(
  fc.constantFrom('a', 'A', 'b', 'a-2', '', '..', 'con', 'COM1', 'x/y', '日本', 'é', '.npy', '0'),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 70, maxLength: 300 }),
);

test('names: one for each path, safe on every file system, and the same in every export', () => {
  fc.assert(
    fc.property(fc.array(fc.array(word, { maxLength: 6 }), { maxLength: 20 }), (paths) => {
      const names = namesFor(paths);
      assert.equal(new Set(names.map((name) => name.toLowerCase())).size, paths.length);
      for (const name of names) {
        assert.match(name, /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/);
        assert.ok(name.length < 180);
        for (const part of name.split('/')) assert.doesNotMatch(part, /^(con|prn|aux|nul|com\d|lpt\d)$/i);
      }
      assert.deepEqual(namesFor(paths), names);
    }),
    { numRuns: budget(1000) },
  );
});

test('plain paths keep their words', () => {
  assert.deepEqual(namesFor([['u'], ['grids', '0', 'u'], [], ['U'], ['max speed']]), [
    'u',
    'grids/0/u',
    'state',
    'U-2',
    'max_speed',
  ]);
});

test('the header of any shape is aligned and says it', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 32 }), (shape) => {
      const { dtype, shape: read } = readNpy(npyHeader('<f8', shape));
      assert.deepEqual([dtype, read], ['<f8', shape]);
    }),
    { numRuns: budget(200) },
  );
});

function part(byteLength: number, index = 0): ArrayPart {
  return {
    index,
    wanted: true,
    path: `u${index}`,
    words: [`u${index}`],
    kind: 'Uint8Array',
    dtype: '|u1',
    shape: [byteLength],
    byteLength,
    shared: false,
  };
}

test('more than an archive can count is refused before anything is written', () => {
  const fileOf = ({ index }: ArrayPart) => `${index}.npy`;
  const check = (arrays: ArrayPart[]) => () => checkSize('npz', arrays, fileOf);
  check([part(2 ** 31), part(2 ** 31 - 1000, 1)])();
  assert.throws(check([part(2 ** 31), part(2 ** 31 - 100, 1)]), /do not fit a \.npz.*--format npy/);
  assert.throws(check(Array.from({ length: 65_535 }, (_, index) => part(1, index))), /do not fit a \.npz/);
  checkSize('npy', [part(2 ** 40)], fileOf);
});

/** A snapshot of two arrays of which reading the second does `then` half way through. */
function partsThat(then: () => void): StateParts {
  const arrays = [part(100), part(200, 1)];
  return {
    info: { createdAt: new Date(0) },
    arrays,
    document: () => ['{}'],
    async *read({ index, byteLength }: ArrayPart) {
      yield new Uint8Array(byteLength / 2);
      if (index === 1) then();
      yield new Uint8Array(byteLength / 2);
    },
  } as unknown as StateParts;
}

function options(to: string, signal = new AbortController().signal): ExportOptions {
  return { to, format: 'npy', force: false, signal, onProgress: () => {} };
}

test('an export that fails or is interrupted leaves nothing, and the target as it was', async (t) => {
  const folder = scratch(t);
  const fail = partsThat(() => {
    assert.ok(readdirSync(folder).some((name) => name.startsWith('out.partial-')));
    throw new Error('half way');
  });
  await assert.rejects(exportParts(fail, options(join(folder, 'out'))), /half way/);
  assert.deepEqual(readdirSync(folder), []);
  const controller = new AbortController();
  const interrupt = partsThat(() => controller.abort());
  await assert.rejects(exportParts(interrupt, options(join(folder, 'out'), controller.signal)), {
    name: 'AbortError',
  });
  assert.deepEqual(readdirSync(folder), []);
});

test('what the system refuses is told with the folder', async (t) => {
  const to = join(scratch(t), 'out');
  const parts = partsThat(() => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
  });
  await assert.rejects(exportParts(parts, options(to)), {
    message: `${to} cannot be written: ENOSPC: no space left on device, write`,
  });
});
