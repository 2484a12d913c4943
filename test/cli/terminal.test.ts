import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { MAIN, type Made, makeStore, scratch, shell, snap } from './support.js';

/** The pseudo-terminals here are those of util-linux; other systems have another `script`. */
const available = (spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '').includes(
  'util-linux',
);
const skip = available ? false : 'takes the script command of util-linux';

let made: Made;
const folder = scratch({ after });
before(async () => {
  made = await makeStore(join(folder, 'store'));
});

const ESCAPE = '\u001b';

/** What `snap` shows on a terminal; its lines end in CR LF there. */
function onTerminal(
  args: string,
  env: Record<string, string> = {},
): { status: number | null; lines: string[] } {
  const script = `script -qec "stty cols 100; '${process.execPath}' '${MAIN}' ${args}" /dev/null </dev/null`;
  const { status, stdout } = shell(script, { env: { TERM: 'xterm', SNAP_STORE: made.directory, ...env } });
  return { status, lines: stdout.trimEnd().split('\r\n') };
}

const plain = (line: string) => line.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '');

test('on a terminal the title is coloured', { skip }, () => {
  const { status, lines } = onTerminal('ls');
  assert.equal(status, 0);
  assert.ok(lines[0]?.startsWith(ESCAPE));
  assert.ok(plain(lines[0] ?? '').startsWith('id '));
  assert.equal(lines.length, 7);
});

test('NO_COLOR and TERM=dumb keep colours off; an empty NO_COLOR does not', { skip }, () => {
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    for (const args of ['ls', 'show best']) {
      assert.ok(!onTerminal(args, env).lines.join('').includes(ESCAPE), args);
    }
  }
  assert.ok(onTerminal('ls', { NO_COLOR: '' }).lines.join('').includes(ESCAPE));
});

test('a pipe is not coloured', () => {
  assert.ok(!snap(['--store', made.directory, 'ls']).stdout.includes(ESCAPE));
  assert.ok(!snap(['--store', made.directory, 'show', 'best']).stdout.includes(ESCAPE));
});

test('tables fit the terminal, however narrow', { skip }, async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory, { run: 'a-run-with-quite-a-long-name' });
  const tags = ['one', 'two', 'three', 'four'].map((name) => `${name}-of-the-many-tags`);
  await store.save(
    { 'a region with a long path': new Float64Array(10_000) },
    { step: 123456, tags, durable: true },
  );
  for (const columns of [80, 40, 20]) {
    for (const args of ['ls', 'stats', 'show latest', 'diff latest latest']) {
      const { lines } = onTerminal(args, { COLUMNS: String(columns), SNAP_STORE: directory });
      // Facts are not a table: their lines wrap.
      const start = args === 'ls' ? 0 : lines.indexOf('') + 1;
      for (const line of lines.slice(start).map(plain)) {
        assert.ok(line.length <= columns, `${columns}: ${line}`);
      }
    }
  }
  assert.ok(onTerminal('ls', { COLUMNS: '80', SNAP_STORE: directory }).lines[1]?.includes('…'));
  assert.match(
    onTerminal('ls', { COLUMNS: '20', SNAP_STORE: directory }).lines[1] ?? '',
    /^[0-9a-f]{8} +123456$/,
  );
});

test('the width is that of the terminal where COLUMNS says nothing of use', { skip }, () => {
  for (const COLUMNS of ['', 'wide']) {
    assert.equal(onTerminal('ls', { COLUMNS }).lines.length, 7);
  }
});

test('a pipe is never cut, whatever COLUMNS says', () => {
  // The ages, and with them the width of their column, change from one second to the next.
  const titles = (env: Record<string, string>) =>
    snap(['--store', made.directory, 'ls'], { env }).stdout.split('\n')[0]?.split(/ +/);
  assert.equal(titles({ COLUMNS: '20' })?.at(-1), 'stored');
  assert.deepEqual(titles({ COLUMNS: '20' }), titles({}));
});

test('on a terminal too, --json is the bare document', { skip }, () => {
  const { lines } = onTerminal('ls --json', { COLUMNS: '20' });
  assert.equal(JSON.parse(lines.join('\n')).snapshots.length, 6);
});
