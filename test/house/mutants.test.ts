/** The list of mutants keeps up with what it breaks: a text that was moved, or a test file that was renamed, is found here. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutants } from '../mutants/list.js';
import { mutate } from '../mutants/mutant.js';

test('the text of every mutant stands in the sources once', () => {
  for (const mutant of mutants) mutate(readFileSync(join('src', mutant.file), 'utf8'), mutant);
});

test('every mutant has a name of its own, and tests that there are', () => {
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  for (const { name, tests } of mutants) {
    for (const file of tests) assert.ok(existsSync(join('test', `${file}.test.ts`)), `${name}: ${file}`);
  }
});
