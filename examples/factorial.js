/**
 * A factorial by an object that multiplies one factor a step, saved after every 50 of them.
 *
 * State: an instance of Factorial, with its BigInts. Its class is registered (`classes`), so that a restored one is a
 * Factorial again, methods and all; the constructor is not run then.
 *
 *     node examples/factorial.js [FOLDER] [N: 3000]
 */

import { Snap } from 'holdfast';

class Factorial {
  factor = 0n;
  product = 1n;

  multiply() {
    this.factor++;
    this.product *= this.factor;
  }

  toString() {
    const digits = String(this.product);
    return `${this.factor}! = ${digits.slice(0, 20)}... (${digits.length} digits)`;
  }
}

const folder = process.argv[2] ?? './checkpoints';
const [N = 3000] = process.argv.slice(3).map(Number);

const snap = await Snap.open(folder, { run: `factorial-${N}`, classes: [Factorial] });
const { state } = await snap.loop({
  init: () => new Factorial(),
  step: (factorial) => factorial.multiply(),
  steps: N,
  save: { steps: 50 },
});
await snap.close();

console.log(String(state));
