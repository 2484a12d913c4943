/** What a stream can show: how wide it is, and whether in colour. A file or pipe is never wide or coloured. */

import { styleText } from 'node:util';
import type { Environment } from './failure.js';

export interface Style {
  /** Columns of the terminal; undefined where nothing needs to be cut. */
  columns: number | undefined;
  /** For titles. */
  strong(text: string): string;
}

interface Stream {
  isTTY?: boolean;
  columns?: number;
}

/** A terminal that does not say how wide it is. */
const USUAL_COLUMNS = 80;

export function styleFor(stream: Stream, env: Environment): Style {
  const colour = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    columns: stream.isTTY ? columnsOf(stream, env) : undefined,
    // It is decided above; styleText itself would take an empty NO_COLOR for a set one.
    strong: colour ? (text) => styleText('bold', text, { validateStream: false }) : (text) => text,
  };
}

/** COLUMNS counts before what the terminal says, as in `ls`. */
function columnsOf(stream: Stream, env: Environment): number {
  const asked = Number(env.COLUMNS);
  if (Number.isSafeInteger(asked) && asked > 0) return asked;
  return stream.columns || USUAL_COLUMNS;
}
