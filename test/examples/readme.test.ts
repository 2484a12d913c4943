/** examples/README.md lists what is there, and shows what it prints. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXAMPLES } from './list.js';

const folder = fileURLToPath(new URL('../../../examples/', import.meta.url));
const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const names = readdirSync(folder).filter((name) => name.endsWith('.js'));

test('the page names every example, every example says what its state is, and every one is killed by the tests', () => {
  assert.ok(names.length > 5);
  for (const name of names) {
    assert.ok(readme.includes(`[${name}](${name})`), name);
    assert.match(readFileSync(join(folder, name), 'utf8'), /^ \* State: /m, name);
    assert.ok(
      EXAMPLES.some((example) => `${example.name}.js` === name),
      name,
    );
  }
});

test('the page shows what the examples print', (t) => {
  if (Number(process.env.HOLDFAST_SOAK ?? 1) < 5) return t.skip('takes a minute: HOLDFAST_SOAK=5 or more');
  const cwd = mkdtempSync(join(tmpdir(), 'holdfast-examples-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const [, block = ''] = /What they print:\n\n```console\n([\s\S]*?)```/.exec(readme) ?? [];
  const shown = [...block.matchAll(/^\$ node examples\/(\S+)(.*)\n(.*\n)/gm)];
  assert.ok(shown.length > names.length);
  for (const [, name = '', rest = '', output] of shown) {
    const args = rest.split(' ').filter((arg) => arg !== '');
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, name), ...args], {
      cwd,
      encoding: 'utf8',
      timeout: 240_000,
    });
    assert.equal(stdout, output, stderr);
  }
});
