/**
 * A WebAssembly machine: a cellular automaton of a row of 1024 cells, which writes its whole history into its memory.
 *
 * State: `memory`, a WebAssembly.Memory with a row of a byte per cell for each generation; it grows as they come.
 * A memory belongs to the machine that imported it, so it is not made anew by restoring: the snapshot is read
 * `into` the one that init returns, which grows to fit. Of a history of megabytes a save writes the newest rows.
 *
 *     node examples/webassembly.js [FOLDER] [GENERATIONS: 20000] [RULE: 30, Wolfram's number]
 */

import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [GENERATIONS = 20_000, RULE = 30] = process.argv.slice(3).map(Number);
const WIDTH = 1024;

// The module as an assembler would make it. Its one function reads the row at $row and writes the next one behind it.
const CODE = `
  00 61 73 6d 01 00 00 00                       ;; (module
  01 06 01 60 02 7f 7f 00                       ;;   (type (func (param i32 i32)))
  02 0e 01 02 6a 73 06 6d 65 6d 6f 72 79 02 00 01 ;; (import "js" "memory" (memory 1))
  03 02 01 00 07 08 01 04 73 74 65 70 00 00     ;;   (func (export "step") (param $row i32) (param $rule i32)
  0a 53 01 51 01 01 7f                          ;;     (local $i i32)
  03 40                                         ;;     loop
  20 00 20 02 6a                                ;;       where to: $row + $i, and 1024 more
  20 01                                         ;;       $rule
  20 00 20 02 41 7f 6a 41 ff 07 71 6a 2d 00 00  ;;       the cell at $row + (($i - 1) & 1023)
  41 02 74                                      ;;       << 2
  20 00 20 02 6a 2d 00 00                       ;;       the cell at $row + $i
  41 01 74 72                                   ;;       << 1, or
  20 00 20 02 41 01 6a 41 ff 07 71 6a 2d 00 00  ;;       the cell at $row + (($i + 1) & 1023)
  72                                            ;;       or: which of the eight neighbourhoods it is
  76 41 01 71                                   ;;       that bit of the rule
  3a 00 80 08                                   ;;       i32.store8 offset=1024
  20 02 41 01 6a 22 02 41 80 08 49 0d 00        ;;       br_if while ++$i < 1024
  0b 0b                                         ;;     end))
`;
const bytes = CODE.replaceAll(/;;.*/g, '')
  .trim()
  .split(/\s+/)
  .map((hex) => Number.parseInt(hex, 16));

const memory = new WebAssembly.Memory({ initial: 1 });
const module = await WebAssembly.instantiate(Uint8Array.from(bytes), { js: { memory } });
const machine = module.instance.exports;

const snap = await Snap.open(folder, { run: `rule-${RULE}` });
await snap.loop({
  init() {
    new Uint8Array(memory.buffer)[WIDTH / 2] = 1;
    return { memory };
  },
  into: true,
  step(_, loop) {
    if ((loop.step + 2) * WIDTH > memory.buffer.byteLength) memory.grow(1);
    machine.step(loop.step * WIDTH, RULE);
  },
  steps: GENERATIONS,
  save: { steps: Math.ceil(GENERATIONS / 40) },
});
await snap.close();

const last = new Uint8Array(memory.buffer, GENERATIONS * WIDTH, WIDTH);
const row = last.subarray(WIDTH / 2 - 30, WIDTH / 2 + 31);
console.log(`generation ${GENERATIONS}: ${Array.from(row, (cell) => (cell ? '#' : '.')).join('')}`);
