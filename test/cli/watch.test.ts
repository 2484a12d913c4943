import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { document, makeStore, scratch, snap } from './support.js';

/** A store that another process is saving into. */
async function liveStore(t: TestContext): Promise<string> {
  const directory = join(scratch(t), 'store');
  const program = fileURLToPath(new URL('./live-loop.js', import.meta.url));
  const loop = spawn(process.execPath, [program, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => {
    loop.stdin.end();
    await once(loop, 'exit');
  });
  await once(loop.stdout, 'data');
  return directory;
}

test('watch tells what the loop does, a line each time or JSON', async (t) => {
  const directory = await liveStore(t);
  const { status, stdout } = snap(['--store', directory, 'watch', '--count', '2', '--interval', '0.1']);
  assert.equal(status, 0);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /\d+ saves {2}[\d.]+\/min {2}step \d+ .* no error$/);
  const told = document<{
    message_type: string;
    owner: { pid: number; saves: number; last: { run: string } };
  }>(snap(['--store', directory, 'watch', '--count', '1', '--json']));
  assert.equal(told.message_type, 'status');
  assert.equal(told.owner.last.run, 'live');
  assert.ok(told.owner.saves >= 3);
});

test('checkpoint waits for a save that was made after it', async (t) => {
  const directory = await liveStore(t);
  const before = document<{ snapshots: { step: number }[] }>(
    snap(['--store', directory, 'ls', '--json', '--limit', '1']),
  );
  const asked = document<{ snapshot: { id: string; step: number } }>(
    snap(['--store', directory, 'checkpoint', '--json']),
  );
  assert.ok(asked.snapshot.step > (before.snapshots[0]?.step ?? 0));
  const { stdout } = snap(['--store', directory, 'ls', '--json']);
  assert.ok(stdout.includes(asked.snapshot.id), 'it is durable');
});

test('nobody to watch or to ask is said', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const watched = snap(['--store', directory, 'watch', '--count', '3', '--interval', '0.01']);
  assert.equal(watched.status, 0);
  assert.equal(watched.stdout, 'no program has this store open; waiting for one (Ctrl-C ends)\n', 'once');
  const asked = snap(['--store', directory, 'checkpoint']);
  assert.equal(asked.status, 1);
  assert.match(asked.stderr, /no program has .* open, so there is nobody to ask/);
  assert.equal(snap(['--store', join(directory, 'none'), 'watch', '--count', '1']).status, 10);
});
