import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeStore, scratch, shell, short, snap } from './support.js';

const complete = (words: string[], cwd?: string) =>
  snap(['__complete', '--', ...words], cwd === undefined ? {} : { cwd })
    .stdout.trimEnd()
    .split('\n');

test('commands, options and their choices', () => {
  for (const name of ['ls', 'show', 'tag', 'completion']) assert.ok(complete(['']).includes(name), name);
  assert.ok(!complete(['']).includes('__complete'));
  assert.ok(complete(['ls', '--']).includes('--limit'));
  assert.ok(complete(['ls', '--']).includes('--store'));
  assert.ok(complete(['-']).includes('--json'));
  assert.deepEqual(complete(['ls', '--limit', '']), ['']);
  assert.deepEqual(complete(['completion', '']), ['bash', 'zsh', 'fish']);
  assert.deepEqual(complete(['nonsense', '']).slice(0, 1), complete(['']).slice(0, 1));
});

test('snapshots and tags of the store that is meant', async (t) => {
  const folder = scratch(t);
  const { ids, directory } = await makeStore(join(folder, 'checkpoints'));
  const all = Object.values(ids).map((id) => short(id));
  const found = complete(['show', ''], folder);
  assert.deepEqual(found.slice(0, 2), ['latest', 'best']);
  assert.deepEqual(found.slice(2).sort(), all.sort());
  assert.deepEqual(complete(['--store', directory, 'show', '']), found);
  assert.deepEqual(complete(['show', '--store', directory, '']), found);
  assert.deepEqual(complete(['untag', ''], folder), ['best']);
  assert.deepEqual(complete(['tag', ''], folder), [''], 'a new name is the user’s');
  assert.deepEqual(complete(['tag', 'x', ''], folder), found);
  assert.deepEqual(complete(['show', 'best', ''], folder), [''], 'it takes one');
  assert.deepEqual(complete(['forget', 'best', ''], folder), found, 'it takes several');
  assert.deepEqual(complete(['show', ''], scratch(t)), [''], 'no store, and no noise');
});

test('bash completes with the script', async (t) => {
  const folder = scratch(t);
  await makeStore(join(folder, 'checkpoints'));
  const { stdout } = shell(
    `eval "$(snap completion bash)"
     COMP_WORDS=(snap sh); COMP_CWORD=1; _snap_complete; echo "\${COMPREPLY[@]}"
     COMP_WORDS=(snap show be); COMP_CWORD=2; _snap_complete; echo "\${COMPREPLY[@]}"`,
    { cwd: folder },
  );
  assert.equal(stdout, 'show\nbest\n');
});

for (const [name, check] of [
  ['zsh', ['-n']],
  ['fish', ['--no-execute']],
] as const) {
  test(`the script for ${name} is one`, (t) => {
    if (spawnSync(name, ['--version']).error) return t.skip(`there is no ${name} here`);
    const { stdout } = snap(['completion', name]);
    assert.equal(spawnSync(name, [...check, '-c', stdout], { encoding: 'utf8' }).stderr, '');
  });
}
