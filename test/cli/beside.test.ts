/** Commands beside a program that has the store open and computes: they do and say what they do and say alone. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { document, type Ended, makeStore, scratch, short, snap } from './support.js';

const BUSY_OWNER = fileURLToPath(new URL('./busy-owner.js', import.meta.url));

/** Starts a program that opens the store and then computes without yielding until `<store>.stop` is there. */
async function busyOwner(
  directory: string,
): Promise<{ child: ChildProcess; stop(): Promise<number | null> }> {
  const child = spawn(process.execPath, [BUSY_OWNER, directory], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the owner ended: ${code}`)));
  });
  return {
    child,
    stop() {
      writeFileSync(`${directory}.stop`, '');
      return ended;
    },
  };
}

test('tag, untag, forget and unforget say and do beside a program what they say and do alone', async (t) => {
  const folder = scratch(t);
  const { directory, ids } = await makeStore(join(folder, 'store'));
  const alone = join(folder, 'alone');
  cpSync(directory, alone, { recursive: true });
  const owner = await busyOwner(directory);
  t.after(() => owner.child.kill('SIGKILL'));
  for (const args of [
    ['tag', 'good', 'step:300', '--run', 'heat'],
    ['tag', 'good', 'best'],
    ['tag', 'good', 'latest', '--json'],
    ['untag', 'good'],
    ['forget', 'best', 'step:0', 'nope', '--run', 'heat'],
    ['unforget', short(ids['heat/200']), short(ids['fine/0'])],
  ]) {
    const beside = snap(['--store', directory, ...args]);
    const expected = snap(['--store', alone, ...args]);
    assert.deepEqual(told(beside, directory), told(expected, alone), args.join(' '));
  }
  assert.equal(await owner.stop(), 0);
  const infos = (path: string) =>
    document<{ snapshots: { id: string; tags: string[] }[] }>(snap(['--store', path, 'ls', '--json']))
      .snapshots;
  assert.deepEqual(infos(directory), infos(alone));
});

test('damage that the program found when it opened the store is told beside it too', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  rmSync(join(directory, 'clean.json'));
  const pack = join(directory, 'packs', '00000001.pack');
  const bytes = readFileSync(pack);
  const at = bytes.indexOf('heat');
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(pack, bytes);
  const owner = await busyOwner(directory);
  t.after(() => owner.child.kill('SIGKILL'));
  const { status, stdout, stderr } = snap(['--store', directory, 'tag', 'x', 'latest']);
  assert.deepEqual([status, stdout.slice(0, 5)], [12, 'x is ']);
  assert.match(stderr, /^snap: warning: pack 1, byte \d+: /);
});

/** What a command said, without the folder of its store and without ages. */
function told({ status, stdout, stderr }: Ended, directory: string): unknown[] {
  const neutral = (text: string) =>
    text
      .replaceAll(directory, 'STORE')
      .replaceAll(/ +(just now|\d+ (s|min) ago)/g, ' AGE')
      .replaceAll(/ +age/g, ' age');
  return [status, neutral(stdout), neutral(stderr)];
}
