/**
 * Runs benchmarks, each in a process of its own: `npm run bench`, `npm run bench -- stall [options]`, and then holds the
 * figures that were filed last against the targets; `npm run bench -- targets [--markdown]` does only that. What takes many minutes
 * runs only when it is named.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printTargets } from './support/targets.js';

const BENCHES = [
  'stall',
  'incremental',
  'commit',
  'loop',
  'restore',
  'track',
  'lend',
  'graphs',
  'shifting',
  'scattered',
  'micro',
  'filters',
  'gc',
  'scale',
];
/** Run only when they are named. */
const LONG: readonly string[] = ['gc', 'scale'];

/** Where figures are filed: by these, and by what compares with other programs. */
const FIGURES = ['build/bench', 'build/peers'];

const args = process.argv.slice(2);
const firstOption = args.findIndex((arg) => arg.startsWith('-'));
const names = firstOption === -1 ? args : args.slice(0, firstOption);
const options = firstOption === -1 ? [] : args.slice(firstOption);
const unknown = names.find((name) => name !== 'targets' && !BENCHES.includes(name));
if (unknown !== undefined || (names.length === 0 && options.includes('--help'))) {
  if (unknown !== undefined) console.error(`error: there is no benchmark ${unknown}`);
  console.error(
    `usage: npm run bench -- [${BENCHES.join(' | ')} | targets]... [--help and other options of each]`,
  );
  process.exit(unknown === undefined ? 0 : 2);
}

const wanted = names.length > 0 ? names : BENCHES.filter((bench) => !LONG.includes(bench));
for (const name of wanted.filter((bench) => bench !== 'targets')) {
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--expose-gc', program, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
printTargets(FIGURES, names.includes('targets') && options.includes('--markdown'));
