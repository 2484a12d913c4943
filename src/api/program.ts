/** The name and version of the running program, which every snapshot carries. */

import { dirname, resolve } from 'node:path';
import type { Program } from '../format/manifest.js';
import { nearestPackage } from '../io/machine.js';

let detected: Program | undefined;

/** Name and version of the running program, from the nearest package.json. */
export function detectProgram(): Program {
  detected ??= { ...(nearestPackage(ancestors()) ?? { name: '', version: '' }), node: process.version };
  return detected;
}

function ancestors(): string[] {
  const script = process.argv[1];
  const folders: string[] = [];
  let folder = script ? dirname(resolve(script)) : process.cwd();
  for (;;) {
    folders.push(folder);
    const parent = dirname(folder);
    if (parent === folder) return folders;
    folder = parent;
  }
}
