/** Under a seccomp filter, as in a container: asked only by who insists, and refused without a word. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { TRACKED } from '../support/pages.js';

const GUARD = { timeout: 60_000, skip: TRACKED.skip || (process.arch === 'x64' ? false : 'numbers of x64') };

/** Puts a filter on the main thread of a child which answers userfaultfd with `answer` and allows the rest. */
function underFilter(answer: 'ALLOW' | 'EPERM', program: string): unknown {
  const ALLOW = 0x7fff0000;
  const prelude = `
    const koffi = require('koffi');
    const prctl = koffi.load(null).func('int prctl(int, ulong, void *, ulong, ulong)');
    const set = koffi.load(null).func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
    // Load the number of the call; where it is 323, the first return, else the second.
    const code = Buffer.from(new ArrayBuffer(32));
    [[0x20, 0, 0, 0], [0x15, 0, 1, 323], [0x06, 0, 0, ${answer === 'ALLOW' ? ALLOW : 0x00050001}], [0x06, 0, 0, ${ALLOW}]]
      .forEach(([op, yes, no, k], at) => {
        code.writeUInt16LE(op, at * 8);
        code[at * 8 + 2] = yes;
        code[at * 8 + 3] = no;
        code.writeUInt32LE(k, at * 8 + 4);
      });
    const filter = Buffer.from(new ArrayBuffer(16));
    filter.writeUInt16LE(4, 0);
    filter.writeBigUInt64LE(koffi.address(code), 8);
    if (set(38, 1, 0, 0, 0) !== 0 || prctl(22, 2, filter, 0, 0) !== 0) throw new Error('no filter');
    const said = [];
    process.on('warning', (warning) => said.push(warning.message));
    const say = (found) => process.on('exit', () => console.log(JSON.stringify({ found, said })));`;
  const pages = new URL('../../src/io/dirty-pages.js', import.meta.url).href;
  const output = execFileSync(
    process.execPath,
    ['-e', `${prelude}\nimport('${pages}').then(({ DirtyPages }) => { ${program} });`],
    { encoding: 'utf8' },
  );
  return JSON.parse(output);
}

test('under a filter only who insists has the kernel asked', GUARD, () => {
  const asked = 'say([DirtyPages.open(false) !== undefined, DirtyPages.open(true) !== undefined]);';
  assert.deepEqual(underFilter('ALLOW', asked), { found: [false, true], said: [] });
});

test('a filter that refuses is taken at its word, once', GUARD, () => {
  const asked = 'say([DirtyPages.open(true) !== undefined, DirtyPages.open(true) !== undefined]);';
  assert.deepEqual(underFilter('EPERM', asked), { found: [false, false], said: [] });
});
