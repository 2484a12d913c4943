/** The programs of docs/capture.md that lend do what the page says, stopped and started again too. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

test('the solvers of docs/capture.md that lend compute what they would without', (t) => {
  const docs = readFileSync(join(root, 'docs/capture.md'), 'utf8');
  const [rod = '', plasma = ''] = [...docs.matchAll(/```js\n([\s\S]*?)```/g)]
    .map(([, code = '']) => code)
    .filter((code) => code.includes('lend:'));
  // Inside the package, so that it finds itself by its name as an installed one would.
  const folder = mkdtempSync(join(root, 'build/capture-docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const run = (name: string, code: string): string => {
    const cwd = join(folder, name);
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'program.mjs'), code);
    const options = { cwd, encoding: 'utf8', timeout: 120_000 } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['program.mjs'], options);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  assert.match(rod, /const STEPS = 2_000/);
  const copying = rod.replace(", lend: ['u']", '');
  assert.notEqual(copying, rod);
  const end = run('copying', copying);
  assert.match(end, /^2000 \d+\.\d+\n$/);
  assert.equal(run('straight', rod), end);
  run('stopped', rod.replace('2_000', '750'));
  assert.equal(run('stopped', rod), end);
  assert.equal(run('plasma', plasma), '');
  const sum = `
    const snap = await Snap.open('./plasma');
    const { step, particles, field } = await snap.restore();
    console.log(step, particles[0], field[5]);
    await snap.close();`;
  let expected = 0;
  for (let step = 1; step <= 10; step++) expected += Math.sin(5 + step);
  assert.equal(run('plasma', `import { Snap } from 'holdfast';${sum}`), `10 45 ${expected}\n`);
});
