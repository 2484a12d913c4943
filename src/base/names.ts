/** What runs and tags may be called. */

const LONGEST_NAME_BYTES = 128;
/** An id as `snap ls` shows it, or more of one. */
const LOOKS_LIKE_ID = /^[0-9a-f]{8,32}$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Throws a TypeError that says what a run may be called. */
export function checkRun(run: unknown): asserts run is string {
  checkName(run, 'run');
}

/** Throws a TypeError that says what a tag may be called. */
export function checkTag(tag: unknown): asserts tag is string {
  checkName(tag, 'tag');
  const shown = JSON.stringify(tag);
  if (tag === 'latest')
    throw new TypeError('tag "latest" is taken: it always means the newest snapshot of the run');
  if (LOOKS_LIKE_ID.test(tag)) {
    throw new TypeError(
      `tag ${shown} looks like a snapshot id; add a letter or sign beyond a-f, as in "v-${tag}"`,
    );
  }
}

function checkName(name: unknown, what: 'run' | 'tag'): asserts name is string {
  if (typeof name !== 'string') throw new TypeError(`a ${what} is a string, not ${typeof name}`);
  if (name === '') throw new TypeError(`a ${what} is empty; give it a name, as in "every-100"`);
  const bytes = Buffer.byteLength(name);
  if (bytes > LONGEST_NAME_BYTES) {
    throw new TypeError(`a ${what} of ${bytes} bytes is too long; at most ${LONGEST_NAME_BYTES} are allowed`);
  }
  const shown = JSON.stringify(name);
  if (/[/\\]/.test(name)) {
    throw new TypeError(
      `${what} ${shown} contains a slash; exports use names as file names, so write "-" or "." instead`,
    );
  }
  if (UNPRINTABLE.test(name) || name !== name.trim() || !name.isWellFormed()) {
    throw new TypeError(
      `${what} ${shown} contains a control character, a lone surrogate, or a space at an end`,
    );
  }
  if (name === '.' || name === '..' || name.startsWith('-')) {
    throw new TypeError(
      `${what} ${shown} would be taken for a folder or an option; begin with a letter or digit`,
    );
  }
}
