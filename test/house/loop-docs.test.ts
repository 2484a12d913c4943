/** The program that docs/loop.md begins with does what the page says: it ends as one that was never stopped. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

test('the first program of docs/loop.md, stopped twice, ends as one that was not', (t) => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/loop.md'), 'utf8')) ?? [];
  assert.ok(code.includes("from 'holdfast'"));
  // Inside the package, so that it finds itself by its name as an installed one would.
  const folder = mkdtempSync(join(root, 'build/loop-docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const run = (name: string, steps: string) => {
    const cwd = join(folder, name);
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'decay.mjs'), code.replace('steps: 100_000', `steps: ${steps}`));
    const { stdout, stderr, status } = spawnSync(process.execPath, ['decay.mjs'], {
      cwd,
      encoding: 'utf8',
      timeout: 120_000,
    });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  assert.match(run('stopped', '500'), /^done after 500 steps 1\n$/);
  assert.match(run('stopped', '700'), /^done after 700 steps 1\n$/);
  const end = run('stopped', '100_000');
  assert.match(end, /^done after \d{4,5} steps 0\.49\d*\n$/);
  assert.equal(run('straight', '100_000'), end);
  assert.equal(run('straight', '100_000'), end, 'what is done stays done');
});
