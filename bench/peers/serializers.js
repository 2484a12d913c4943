/** Ways of making bytes of a graph of JavaScript values, and the graph of the bytes again. */

import { deserialize, serialize } from 'node:v8';

/** Those that are installed. */
export async function serializers(absent) {
  const all = [
    { name: 'v8.serialize', encode: serialize, decode: deserialize },
    {
      name: 'JSON',
      encode: (value) => Buffer.from(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(bytes.toString()),
    },
  ];
  const name = 'LangGraph';
  try {
    const { JsonPlusSerializer } = await import('@langchain/langgraph-checkpoint');
    const serializer = new JsonPlusSerializer();
    let type;
    all.push({
      name,
      async encode(value) {
        const [kind, bytes] = await serializer.dumpsTyped(value);
        type = kind;
        return bytes;
      },
      decode: (bytes) => serializer.loadsTyped(type, bytes),
    });
  } catch (error) {
    absent.add(name, error.message.split('\n')[0]);
  }
  return all;
}
