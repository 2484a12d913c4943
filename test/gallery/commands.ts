/** Runs `snap` in this process, and makes what it says the same in every run: ids, paths, places, sizes. */

import { Writable } from 'node:stream';
import { Output } from '../../src/cli/output.js';
import { run } from '../../src/cli/run.js';
import type { GalleryStore } from './store.js';

export interface Said {
  status: number;
  /** What stood on stdout and, behind it, what stood on stderr. */
  data: string;
  talk: string;
}

class Text extends Writable {
  text = '';

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** As somebody would who stands in the folder of the store. */
export async function snap(directory: string, ...args: string[]): Promise<Said> {
  const [data, talk] = [new Text(), new Text()];
  const status = await run(args, {
    output: new Output(data as never, talk as never, {}),
    env: {},
    currentFolder: () => directory,
    signal: new AbortController().signal,
  });
  return { status, data: data.text, talk: talk.text };
}

/**
 * Data and failures, with names for ids. What a command says of its own doing and of what may be done next is told
 * elsewhere.
 */
export function plain({ data, talk }: Said, { directory, ids }: GalleryStore): string {
  const failures = talk.split('\n').filter((line) => line.startsWith('snap: '));
  let text = data + failures.map((line) => `${line}\n`).join('');
  for (const [name, id] of ids) {
    text = text.replaceAll(id, name).replaceAll(id.slice(0, 8), name);
  }
  return text.replaceAll(directory, '/data/checkpoints');
}

/** Without what differs from one Node or machine to the next: places in packs, sizes, how much a repair wrote. */
export function masked(text: string): string[] {
  return text
    .replaceAll(/[\d.]+ (B|KiB|MiB)\b/g, 'SIZE')
    .replaceAll(/\b\d{4,}\b/g, 'PLACE')
    .replaceAll(/\d+ records?\b/g, 'RECORDS')
    .split('\n')
    .map((line) => line.trim().replaceAll(/ {2,}/g, '  '));
}
