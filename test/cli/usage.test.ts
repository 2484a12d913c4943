import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MAIN, scratch, snap } from './support.js';

const COMMANDS = [
  'ls',
  'show',
  'tag',
  'untag',
  'stats',
  'restore',
  'diff',
  'forget',
  'unforget',
  'gc',
  'verify',
  'repair',
  'copy',
  'prove',
  'replay',
  'watch',
  'checkpoint',
  'torture',
  'completion',
];

/** Those that an owner does, or keeps from being done. */
const OF_OWNERS = ['tag', 'untag', 'forget', 'unforget', 'gc', 'repair', 'copy', 'checkpoint'];

/** Wrong usage: status 2, nothing on stdout, one line and how the command goes on stderr. */
function assertWrong(args: string[], message: RegExp, usage = 'snap'): void {
  const { status, stdout, stderr } = snap(args);
  assert.deepEqual([status, stdout], [2, ''], args.join(' '));
  const [line = '', how = '', more = '', ...rest] = stderr.split('\n');
  assert.match(line, /^snap: /);
  assert.match(line, message);
  assert.ok(how.startsWith(`usage: ${usage} `), how);
  assert.match(more, /^more: {2}snap .*--help$/);
  assert.deepEqual(rest, ['']);
}

test('an unknown command suggests the one that was meant', () => {
  assertWrong(['lss'], /^snap: unknown command 'lss' \(did you mean ls\?\)$/);
  assertWrong(['forgte', 'x'], /did you mean forget\?/);
  assertWrong(['help', 'unforgte'], /did you mean unforget\?/);
  assertWrong(['stat', '--help'], /did you mean stats\?/);
  assertWrong(['frobnicate'], /^snap: unknown command 'frobnicate'$/);
});

test('an unknown option suggests the one that was meant', () => {
  assertWrong(['ls', '--limti', '3'], /unknown option '--limti' \(did you mean --limit\?\)/, 'snap ls');
  assertWrong(['forget', 'x', '--dryrun'], /did you mean --dry-run\?/, 'snap forget');
  assertWrong(['--jsn', 'ls'], /did you mean --json\?/);
});

test('missing, superfluous and wrong words are told', () => {
  assertWrong(['show'], /missing required argument 'REF'/, 'snap show');
  assertWrong(['tag', 'x'], /missing required argument 'REF'/, 'snap tag');
  assertWrong(['forget'], /missing required argument 'REF'/, 'snap forget');
  assertWrong(['unforget'], /missing required argument 'ID'/, 'snap unforget');
  assertWrong(['restore', 'latest'], /required option '--to <DIR>' not specified/, 'snap restore');
  assertWrong(['restore', 'latest', '--to', ''], /takes the name of a folder/, 'snap restore');
  assertWrong(
    ['restore', 'latest', '--to', 'x', '--format', 'zip'],
    /Allowed choices are npy, npz, raw/,
    'snap restore',
  );
  assertWrong(['diff', 'latest'], /missing required argument 'B'/, 'snap diff');
  assertWrong(['ls', 'x'], /too many arguments/, 'snap ls');
  assertWrong(['ls', '--run'], /argument missing/, 'snap ls');
  for (const limit of ['0', '-1', '1.5', 'x', '', '1e3']) {
    assertWrong(['ls', `--limit=${limit}`], /'--limit <N>' argument '.*' is invalid/, 'snap ls');
  }
  assertWrong(['ls', '--run', 'a/b'], /run "a\/b" contains a slash/, 'snap ls');
  assertWrong(['--store'], /argument missing/);
  for (const sample of ['5', '0%', '101%', '-5%', 'x', '%', '1e1%']) {
    assertWrong(['verify', `--read-data=${sample}`], /takes a percentage/, 'snap verify');
  }
  for (const seconds of ['0', '-1', 'x', '', '1e3', 'Infinity']) {
    assertWrong(['verify', `--max-seconds=${seconds}`], /takes a number of seconds/, 'snap verify');
  }
});

test('an empty reference is wrong usage', (t) => {
  for (const args of [
    ['show', ''],
    ['forget', '--dry-run', ''],
    ['unforget', ''],
  ]) {
    const { status } = snap(['--store', scratch(t), ...args]);
    assert.equal(status, 2, JSON.stringify(args));
  }
});

test('help of every command has examples and its exit statuses', () => {
  for (const command of COMMANDS) {
    const asked = snap([command, '--help']);
    assert.deepEqual([asked.status, asked.stderr], [0, '']);
    assert.deepEqual(snap(['help', command]), asked);
    assert.ok(asked.stdout.startsWith(`Usage: snap ${command} `));
    assert.match(asked.stdout, /\nExamples:\n {2}\$ snap /);
    assert.match(asked.stdout, /\nExit status:\n {4}0 {2}done(: .*)?\n/);
    assert.match(asked.stdout, /--store <DIR>/);
    const locks = /\n {3}11 {2}locked/.test(asked.stdout);
    assert.equal(locks, OF_OWNERS.includes(command), command);
  }
});

test('help lists the commands that work, and only those', () => {
  const { status, stdout } = snap(['--help']);
  assert.equal(status, 0);
  const [, listed = ''] = /\nCommands:\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
  const names = [...listed.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(names, [...COMMANDS, 'help']);
  for (const status of [0, 1, 2, 3, 4, 10, 11, 12, 13, 130]) {
    assert.match(stdout, new RegExp(`^ +${status} {2}\\w`, 'm'));
  }
});

test('the compiled command begins with the line that lets a shell run it', () => {
  assert.ok(readFileSync(MAIN, 'utf8').startsWith('#!/usr/bin/env node\n'));
});

test('--version is that of the package', () => {
  const path = fileURLToPath(new URL('../../../package.json', import.meta.url));
  const { version } = JSON.parse(readFileSync(path, 'utf8'));
  for (const option of ['--version', '-V']) {
    assert.deepEqual(snap([option]), { status: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  }
});
