#!/usr/bin/env bash
# Packs the package and uses it as a stranger would: installed into an empty folder with install scripts
# blocked, imported, required, type-checked by its consumers' tools.
set -euo pipefail
cd "$(dirname "$0")/.."

npx publint --strict
npx attw --pack . --profile esm-only --format ascii

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm pack --silent --pack-destination "$folder" >/dev/null
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts ./holdfast-*.tgz

cat >use.mjs <<'JS'
import { Snap } from 'holdfast';
const snap = await Snap.open('./checkpoints', { run: 'packed' });
const state = await snap.resume(() => ({ step: 0, u: new Float64Array(10_000).fill(1.5) }));
state.step++;
await snap.save(state, { step: state.step, durable: true });
await snap.close();
console.log(`step ${state.step}`);
JS
cat >use.cjs <<'JS'
const { Snap } = require('holdfast');
console.log(typeof Snap.open);
JS
test "$(node use.mjs)" = "step 1"
test "$(node use.mjs)" = "step 2"
test "$(node use.cjs 2>/dev/null)" = "function"
npx --no-install snap ls --json | grep -q '"packed"'
echo "package: installs without scripts, imports, requires, resumes"
