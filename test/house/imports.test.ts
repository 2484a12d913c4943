import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Which rooms each room may import from, itself apart. Imports run down the house, never up. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  index: ['api', 'writer', 'store', 'base'],
  cli: ['torture', 'index', 'api', 'io', 'base'],
  torture: ['index', 'api', 'io', 'base'],
  api: ['writer', 'store', 'state', 'compress', 'format', 'io', 'base'],
  writer: ['store', 'chunker', 'format', 'io', 'base'],
  store: ['chunker', 'compress', 'format', 'io', 'base'],
  state: ['format', 'base'],
  chunker: ['format', 'base'],
  compress: ['format', 'base'],
  format: ['base'],
  io: ['base'],
  base: [],
};

/** Modules that belong to one room, because what they do may happen nowhere else. */
const ONLY_IN: [module: RegExp, rooms: readonly string[]][] = [
  [/^(node:)?fs(\/promises)?$/, ['io']],
  [/^(node:)?net$/, ['io']],
  [/^(node:)?child_process$/, ['io', 'torture']],
  [/^level$/, ['store']],
  [/^zstd-napi/, ['compress']],
  [/^koffi$/, ['io']],
  [/^@napi-rs\/blake-hash$/, ['chunker']],
  [/^pure-rand/, ['api']],
  [/^node:worker_threads$/, ['writer']],
  [/^(commander|cli-table3|cli-progress|fflate)$/, ['cli']],
];

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const source = join(root, 'src');

interface Import {
  file: string;
  room: string;
  from: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), 'utf8');
  const room = file.includes('/') ? (file.split('/')[0] as string) : file.replace(/\.ts$/, '');
  const patterns = [/\bfrom\s+'([^']+)'/g, /\bimport\s+'([^']+)'/g, /\bimport\(\s*'([^']+)'\s*\)/g];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, from]) => ({ file, room, from: from as string })),
  );
}

const files = readdirSync(source, { recursive: true })
  .map((name) => relative('.', String(name)).replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts'));
const imports = files.flatMap(importsOf);

test('there are imports to look at', () => {
  assert.ok(files.length > 30 && imports.length > 100);
});

test('imports run down the house, never up', () => {
  const wrong = imports.filter(({ file, room, from }) => {
    if (!from.startsWith('.')) return false;
    const target = posix.normalize(posix.join(posix.dirname(file), from));
    const other = target.includes('/') ? (target.split('/')[0] as string) : target.replace(/\.js$/, '');
    return other !== room && !MAY_IMPORT[room]?.includes(other);
  });
  assert.deepEqual(wrong, []);
});

test('what only one room may touch is touched by that room alone', () => {
  const wrong = imports.filter(({ room, from }) =>
    ONLY_IN.some(([module, rooms]) => module.test(from) && !rooms.includes(room)),
  );
  assert.deepEqual(wrong, []);
});

/** `io/signals.ts` is where a loop that was sent a signal ends the process. */
test('only the command line talks and exits', () => {
  const wrong = files
    .filter((file) => !file.startsWith('cli/') && file !== 'io/signals.ts')
    .filter((file) =>
      /\bconsole\.|\bprocess\.(exit\(|exitCode\s*=|stdout|stderr)/.test(
        readFileSync(join(source, file), 'utf8'),
      ),
    );
  assert.deepEqual(wrong, []);
});

test('every source file begins by saying what it is', () => {
  const wrong = files.filter((file) => !/^(#!.*\n)?\/\*\*/.test(readFileSync(join(source, file), 'utf8')));
  assert.deepEqual(wrong, []);
});
