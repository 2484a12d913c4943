/**
 * Where words go: data to stdout, talk to stderr.
 *
 * Invariants
 *  - a reader that went away (`snap ls | head -1`) is no error and stops no work: the rest is written nowhere
 *  - any other failure to write data is told and ends in status 1
 */

import type { Environment } from './failure.js';
import { type Style, styleFor } from './style.js';
import { printable } from './words.js';

export class Output {
  /** How stdout takes text: its width and colours. */
  readonly style: Style;
  /** Where a line may be shown that changes: stderr, if it is a terminal that can. */
  readonly terminal: NodeJS.WriteStream | undefined;
  readonly #data: NodeJS.WriteStream;
  readonly #talk: NodeJS.WriteStream;
  /** Lines that were drawn last, to be drawn over. */
  #drawn = 0;

  constructor(data: NodeJS.WriteStream, talk: NodeJS.WriteStream, env: Environment) {
    this.#data = data;
    this.#talk = talk;
    this.style = styleFor(data, env);
    this.terminal = talk.isTTY && env.TERM !== 'dumb' ? talk : undefined;
    data.on('error', (error: NodeJS.ErrnoException) => this.#failed(error));
    talk.on('error', () => {});
  }

  /** Lines for people or pipes; a newline is added. */
  data(text: string): void {
    this.#data.write(`${text}\n`);
  }

  /** One document. What is absent is null, so that every key is always there. */
  json(document: object): void {
    const text = JSON.stringify(document, nullForAbsent, 2);
    // What steers a terminal stands inside of strings alone, where it may be spelled out.
    this.data(text.split('\n').map(printable).join('\n'));
  }

  /** One of the lines of long work, each a document; the last is the `summary`. */
  jsonLine(type: 'progress' | 'status' | 'summary', document: object): void {
    this.data(printable(JSON.stringify({ message_type: type, ...document }, nullForAbsent)));
  }

  /** Text in the place of what was last drawn so; for a terminal. */
  redraw(text: string): void {
    const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[J` : '';
    const width = this.style.columns ?? Number.POSITIVE_INFINITY;
    const lines = text.split('\n').map((line) => line.slice(0, width));
    this.#drawn = lines.length;
    this.#data.write(`${back}${lines.join('\n')}\n`);
  }

  /** A remark; a newline is added. */
  talk(text: string): void {
    this.#talk.write(`${text}\n`);
  }

  /** What another program prints, as it is. */
  passOn(bytes: Uint8Array): void {
    this.#talk.write(bytes);
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (error.code === 'EPIPE') return;
    this.talk(`snap: the output cannot be written: ${error.message}`);
    process.exitCode = 1;
  }
}

function nullForAbsent(_: string, value: unknown): unknown {
  return value === undefined ? null : value;
}
