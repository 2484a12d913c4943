/**
 * A copy of the sources in a temporary folder, in which one mutant at a time is compiled and tested.
 *
 * Invariants
 *  - the checkout is only read
 *  - a mutant has to compile, types and all: one that does not is a mistake in the list, and proves nothing
 *  - nothing that a test has started outlives its test, and the folder does not outlive this process
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Mutant, mutate } from './mutant.js';

const ENDING = '.test.js';
/** Against hangs only: no test file takes a tenth of it. */
const LIMIT_MS = 10 * 60_000;
/** Plenty for any test; a mutant that believes anything does not take the machine down. */
const HEAP_MIB = 1024;

export class Workshop {
  readonly #checkout: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(checkout: string) {
    this.#checkout = checkout;
    this.#folder = mkdtempSync(join(tmpdir(), 'holdfast-mutants-'));
    process.on('exit', () => {
      this.#stop();
      rmSync(this.#folder, { recursive: true, force: true });
    });
    for (const name of ['src', 'test', 'package.json']) {
      cpSync(join(checkout, name), join(this.#folder, name), { recursive: true });
    }
    symlinkSync(join(checkout, 'node_modules'), join(this.#folder, 'node_modules'));
    mkdirSync(join(this.#folder, 'tmp'));
    const rooms = [
      'api',
      'chunker',
      'compress',
      'format',
      'gallery',
      'io',
      'state',
      'store',
      'support',
      'writer',
    ];
    const tests = rooms.map((room) => `test/${room}`);
    this.#compile({ include: ['src', ...tests] }, 'what is to be mutated');
  }

  /** Fails unless the text of every mutant stands in the sources once. */
  check(mutants: readonly Mutant[]): void {
    const stale = mutants.flatMap((mutant) => {
      try {
        mutate(readFileSync(join(this.#folder, 'src', mutant.file), 'utf8'), mutant);
        return [];
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)];
      }
    });
    if (stale.length > 0) throw new Error(`the list is out of date:\n${stale.join('\n')}`);
  }

  /** Puts a mutant in the place of what it breaks; returns what makes it whole again. */
  put(mutant: Mutant): () => void {
    const path = join(this.#folder, 'src', mutant.file);
    const compiled = join(this.#folder, 'build/src', mutant.file.replace(/\.ts$/, '.js'));
    const source = readFileSync(path, 'utf8');
    const whole = readFileSync(compiled);
    writeFileSync(path, mutate(source, mutant));
    const mend = () => writeFileSync(compiled, whole);
    try {
      this.#compile({ files: [`src/${mutant.file}`] }, mutant.name);
    } catch (error) {
      mend();
      throw error;
    } finally {
      writeFileSync(path, source);
    }
    return mend;
  }

  /** All test files there are to run. */
  testFiles(): string[] {
    const root = join(this.#folder, 'build/test');
    return readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ENDING))
      .map((name) => name.slice(0, -ENDING.length))
      .sort();
  }

  /** The first test of a file that fails, if one does; the others are not waited for. */
  firstFailure(file: string): Promise<string | undefined> {
    const path = join(this.#folder, 'build/test', `${file}${ENDING}`);
    const flags = ['--expose-gc', `--max-old-space-size=${HEAP_MIB}`, '--test-reporter=tap'];
    const child = spawn(process.execPath, [...flags, path], {
      cwd: this.#folder,
      env: { ...process.env, TMPDIR: join(this.#folder, 'tmp') },
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own, so that what the tests start ends with them.
      detached: true,
    });
    this.#child = child;
    return new Promise((resolve) => {
      let failure: string | undefined;
      let output = '';
      const stop = (reason: string): void => {
        failure ??= reason;
        this.#stop();
      };
      const guard = setTimeout(() => stop('it hangs'), LIMIT_MS);
      child.stdout.on('data', (data) => {
        output += data;
        const failed = /^not ok \d+ - (.*)$/m.exec(output);
        if (failed) stop(failed[1] as string);
      });
      child.on('close', (code) => {
        clearTimeout(guard);
        resolve(failure ?? (code === 0 ? undefined : 'it ends early'));
      });
    });
  }

  #stop(): void {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    process.kill(-child.pid, 'SIGKILL');
  }

  #compile(what: { include: string[] } | { files: string[] }, subject: string): void {
    const compilerOptions = {
      rootDir: '.',
      outDir: 'build',
      typeRoots: ['node_modules/@types'],
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    const config = { extends: join(this.#checkout, 'tsconfig.json'), compilerOptions, include: [], ...what };
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(this.#checkout, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd: this.#folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${subject} does not compile:\n${stdout}`);
  }
}
