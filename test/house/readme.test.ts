import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

test('the quick start of the README runs, stops, and goes on where it was', (t) => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];
  assert.ok(code.includes("from 'holdfast'"));
  // Inside the package, so that it finds itself by its name as an installed one would.
  const folder = mkdtempSync(join(root, 'build/readme-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const run = (steps: number) => {
    const program = `${code.replace('N = 100_000', `N = ${steps}`)}\nconst last = await Snap.open('./checkpoints', { run: 'heat' });\nconsole.log((await last.info()).step, [...(await last.restore()).probes.keys()].join());\nawait last.close();\n`;
    writeFileSync(join(folder, 'loop.mjs'), program);
    const { stdout, stderr, status } = spawnSync(process.execPath, ['loop.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 120_000,
    });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  assert.equal(run(150), '150 100');
  assert.equal(run(350), '350 100,200,300');
});
