/**
 * The solver of iterations.py in JavaScript; prints the time of each iteration in microseconds as JSON. It saves with
 * holdfast, or as the Python programs do: v8.serialize, to a file, fsync, rename.
 */

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { serialize } from 'node:v8';
import { Snap } from 'holdfast';

const [, , what, stepsText, everyText, folder] = process.argv;
const steps = Number(stepsText);
const every = Number(everyText);
const SIDE = 100;

const state = { step: 0, u: new Float64Array(SIDE * SIDE).map((_, cell) => 20 + 5 * Math.sin(cell / 77)) };
let next = state.u.slice();

function advance() {
  const now = state.u;
  for (let row = 1; row < SIDE - 1; row++) {
    for (let cell = row * SIDE + 1; cell < row * SIDE + SIDE - 1; cell++) {
      const here = now[cell];
      next[cell] =
        here + 0.2 * (now[cell - SIDE] + now[cell + SIDE] + now[cell - 1] + now[cell + 1] - 4 * here);
    }
  }
  state.u = next;
  next = now;
  state.step++;
  state.u[50 * SIDE + 50] = 20 + 10 * Math.sin(state.step / 1000);
}

function saveFile() {
  const path = `${folder}/checkpoint`;
  const file = openSync(`${path}.new`, 'w');
  writeSync(file, serialize(state));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
}

for (let step = 0; step < 20_000; step++) advance();
const snap = what === 'holdfast' ? await Snap.open(`${folder}/store`) : undefined;
await snap?.prepare(state);
await snap?.save(state, { durable: true });
const isFile = what === 'v8.serialize';
const times = [];
for (let step = 1; step <= steps; step++) {
  const began = performance.now();
  advance();
  if (snap && step % every === 0) await snap.save(state, { step: state.step });
  else if (isFile && step % every === 0) saveFile();
  times.push(1000 * (performance.now() - began));
}
await snap?.close();
process.stdout.write(JSON.stringify(times));
