/** Runs every comparison, then draws the charts: `npm start`, or `npm start -- iterations`. */

import { spawnSync } from 'node:child_process';
import { script } from './support.js';

const ALL = ['iterations', 'incremental', 'graphs', 'round-trips', 'space', 'charts'];
const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : ALL) {
  if (!ALL.includes(name)) throw new Error(`there is no ${name}; there are ${ALL.join(', ')}`);
  const { status } = spawnSync(process.execPath, [script(`${name}.js`)], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
