/**
 * JSON for people, in pieces: what is written never has to be in memory as a whole.
 *
 * One key a line, indented by two; lists of short things fill lines of LINE columns.
 *
 * Invariants
 *  - no recursion: the depth of a document is bounded by whoever makes it, not by the stack
 *  - a part is made when it is written, not before
 */

/** Text that is JSON already, or a container whose parts are made one after another. */
export type Part = string | { fields: Iterable<[key: string, part: Part]> } | { list: Iterable<Part> };

interface Frame {
  /** Parts left, with their keys in front. */
  next: () => { prefix: string; part: Part } | undefined;
  close: string;
  isEmpty: boolean;
  /** Room left on the current line; a list goes on in it. */
  room: number;
}

const LINE = 100;
const PIECE = 65_536;

/** The text of a document, in pieces of about 64 KiB. */
export function* jsonText(document: Part): Generator<string> {
  const frames: Frame[] = [];
  let text = '';
  const begin = (part: Part): void => {
    if (typeof part === 'string') text += part;
    else {
      text += 'fields' in part ? '{' : '[';
      frames.push('fields' in part ? fieldsFrame(part.fields) : listFrame(part.list));
    }
  };
  begin(document);
  while (frames.length > 0) {
    const frame = frames.at(-1) as Frame;
    const next = frame.next();
    if (next === undefined) {
      frames.pop();
      text += frame.isEmpty ? frame.close : `${lineBreak(frames.length)}${frame.close}`;
    } else {
      text += separator(frame, next.prefix, next.part, frames.length);
      begin(next.part);
    }
    if (text.length >= PIECE) {
      yield text;
      text = '';
    }
  }
  yield `${text}\n`;
}

/** What stands between a part and the one before, and the part's key. */
function separator(frame: Frame, prefix: string, part: Part, depth: number): string {
  const width = typeof part === 'string' ? part.length + 2 : Number.POSITIVE_INFINITY;
  const comma = frame.isEmpty ? '' : ',';
  frame.isEmpty = false;
  if (prefix === '' && width <= frame.room) {
    frame.room -= width;
    return `${comma} `;
  }
  // Behind a container, too, a new line begins.
  frame.room = typeof part === 'string' ? LINE - 2 * depth - width : 0;
  return `${comma}${lineBreak(depth)}${prefix}`;
}

function lineBreak(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}

function fieldsFrame(fields: Iterable<[string, Part]>): Frame {
  const iterator = fields[Symbol.iterator]();
  const next = () => {
    const { done, value } = iterator.next();
    return done ? undefined : { prefix: `${JSON.stringify(value[0])}: `, part: value[1] };
  };
  return { next, close: '}', isEmpty: true, room: 0 };
}

function listFrame(list: Iterable<Part>): Frame {
  const iterator = list[Symbol.iterator]();
  const next = () => {
    const { done, value } = iterator.next();
    return done ? undefined : { prefix: '', part: value };
  };
  return { next, close: ']', isEmpty: true, room: 0 };
}
