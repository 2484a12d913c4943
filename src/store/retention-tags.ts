/**
 * Globs for tags: `*` any characters, `?` one, `[a-z]` one of these, `[!a-z]` none of these, `{a,b}` either.
 *
 * A glob matches a whole tag, upper and lower case apart. `[*]` is the sign itself. Matching takes time in
 * proportion to glob times tag, whatever they are; a regular expression with several `.*` does not.
 */

/** Whether a glob matches a tag. */
export type TagGlob = (tag: string) => boolean;

/** One character that fits, or any number of any. */
type Piece = typeof ANY_NUMBER | ((character: string) => boolean);

const ANY_NUMBER = Symbol('*');
const MOST_ALTERNATIVES = 1000;

/** Throws a TypeError for a bracket or brace that is not closed, and a RangeError for too many alternatives. */
export function compileGlob(glob: string): TagGlob {
  const alternatives = spellOut(glob, glob).map((alternative) => piecesOf(alternative, glob));
  return (tag) => {
    const characters = [...tag];
    return alternatives.some((pieces) => matches(pieces, characters));
  };
}

/** The globs without braces that one with braces stands for. */
function spellOut(pattern: string, glob: string): string[] {
  const brace = findOutsideSets(pattern, 0, glob, (sign) => sign === '{');
  if (brace === -1) return [pattern];
  const { options, end } = readBrace(pattern, brace, glob);
  const before = pattern.slice(0, brace);
  const rests = spellOut(pattern.slice(end), glob);
  const starts = options.flatMap((option) => spellOut(option, glob)).map((option) => before + option);
  if (starts.length * rests.length > MOST_ALTERNATIVES) {
    throw new RangeError(`${JSON.stringify(glob)} has more than ${MOST_ALTERNATIVES} alternatives`);
  }
  return starts.flatMap((start) => rests.map((rest) => start + rest));
}

function readBrace(pattern: string, brace: number, glob: string): { options: string[]; end: number } {
  const options: string[] = [];
  let depth = 0;
  let start = brace + 1;
  const end = findOutsideSets(pattern, start, glob, (sign, at) => {
    if (sign === '{') depth++;
    if (depth === 0 && (sign === ',' || sign === '}')) {
      options.push(pattern.slice(start, at));
      start = at + 1;
      return sign === '}';
    }
    if (sign === '}') depth--;
    return false;
  });
  if (end === -1) throw unclosed(glob, '{');
  return { options, end: end + 1 };
}

/** Position of the first sign outside `[...]` that is looked for, or -1. */
function findOutsideSets(
  pattern: string,
  from: number,
  glob: string,
  isIt: (sign: string, at: number) => boolean,
): number {
  for (let at = from; at < pattern.length; at++) {
    const sign = pattern[at] as string;
    if (sign === '[') at = endOfSet(pattern, at, glob);
    else if (isIt(sign, at)) return at;
  }
  return -1;
}

/** Position of the `]`; one that comes first is a member. */
function endOfSet(pattern: string, open: number, glob: string): number {
  const first = open + (isNegation(pattern[open + 1]) ? 2 : 1);
  const end = pattern.indexOf(']', first + 1);
  if (end === -1) throw unclosed(glob, '[');
  return end;
}

function piecesOf(pattern: string, glob: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < pattern.length; ) {
    const sign = String.fromCodePoint(pattern.codePointAt(at) as number);
    if (sign === '[') {
      const end = endOfSet(pattern, at, glob);
      pieces.push(setOf(pattern.slice(at + 1, end), glob));
      at = end + 1;
      continue;
    }
    if (sign === '*') pieces.push(ANY_NUMBER);
    else if (sign === '?') pieces.push(() => true);
    else pieces.push((character) => character === sign);
    at += sign.length;
  }
  return pieces;
}

function setOf(text: string, glob: string): Piece {
  const negated = isNegation(text[0]);
  const members = [...(negated ? text.slice(1) : text)];
  const ranges: [number, number][] = [];
  for (let at = 0; at < members.length; at++) {
    const from = codeOf(members[at]);
    const isRange = members[at + 1] === '-' && at + 2 < members.length;
    const to = isRange ? codeOf(members[at + 2]) : from;
    if (to < from) {
      const range = members.slice(at, at + 3).join('');
      throw new TypeError(`${JSON.stringify(glob)}: ${range} runs backwards`);
    }
    ranges.push([from, to]);
    if (isRange) at += 2;
  }
  return (character) => {
    const code = codeOf(character);
    return ranges.some(([from, to]) => from <= code && code <= to) !== negated;
  };
}

/** What fails behind a `*` is tried one character later; only the last `*` ever needs that. */
function matches(pieces: readonly Piece[], characters: readonly string[]): boolean {
  let piece = 0;
  let at = 0;
  let star = -1;
  let retry = 0;
  while (at < characters.length) {
    const expected = pieces[piece];
    if (expected === ANY_NUMBER) {
      star = piece++;
      retry = at;
    } else if (expected?.(characters[at] as string)) {
      piece++;
      at++;
    } else if (star >= 0) {
      piece = star + 1;
      at = ++retry;
    } else return false;
  }
  while (pieces[piece] === ANY_NUMBER) piece++;
  return piece === pieces.length;
}

function isNegation(sign: string | undefined): boolean {
  return sign === '!' || sign === '^';
}

function codeOf(character: string | undefined): number {
  return character?.codePointAt(0) as number;
}

function unclosed(glob: string, sign: string): TypeError {
  return new TypeError(`${JSON.stringify(glob)}: a ${sign} is not closed; [${sign}] is the sign itself`);
}
