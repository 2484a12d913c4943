/** docs/classes.md: its programs run one after the other in one folder, and print what stands beside them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

test('the programs of docs/classes.md run as they stand there', (t) => {
  const docs = readFileSync(join(root, 'docs/classes.md'), 'utf8');
  const programs = [...docs.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  assert.equal(programs.length, 4);
  // Inside the package, so that it finds itself by its name as an installed one would.
  const folder = mkdtempSync(join(root, 'build/classes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const run = (code: string): string => {
    writeFileSync(join(folder, 'program.mjs'), code);
    const options = { cwd: folder, encoding: 'utf8', timeout: 120_000 } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['program.mjs'], options);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  const [first = '', migrating = '', walk = '', own = ''] = programs;
  run(first);
  assert.equal(run(migrating), / {2}\/\/ (Body .*)|; \/\/ (Body .*)/.exec(migrating)?.[2]);
  run(walk);
  const [drawn, later] = [run(own), run(own)];
  assert.notEqual(drawn, later, 'it goes on where it was saved');
  const refused = docs.match(/^ {4}SnapError: [\s\S]*?\n\n/m)?.[0] ?? '';
  const unregistered = first.replace(/, \{ classes: .*\}/, '').replaceAll('./checkpoints', './fresh');
  writeFileSync(join(folder, 'program.mjs'), unregistered);
  const { stderr } = spawnSync(process.execPath, ['program.mjs'], { cwd: folder, encoding: 'utf8' });
  const message = refused
    .replace(/^ +SnapError: /, '')
    .replace(/\s+/g, ' ')
    .trim();
  assert.ok(message.length > 50 && stderr.includes(message), stderr);
});
