#!/usr/bin/env bash
# Prints the table of docs/performance.md: the peak resident size of the real function process at several memory sizes.
# Needs 25 GiB of disk for its objects and outputs, which are removed at the end, and python3; takes some 12 minutes.
#
#   scripts/memory.sh [FOLDER]      FOLDER is where the objects are made, a temporary folder if it is not given
set -euo pipefail
cd "$(dirname "$0")/.."
# Debug programs are what `cargo test` measures too; their memory is that of a release build.
programs=${CARGO_TARGET_DIR:-target}/debug
cargo build --quiet --package local --package plan --package report --package transform --bins
folder=$(mktemp -d -p "${1:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$folder"' EXIT

python3 - "$folder" <<'PYTHON'
import json, os, sys

folder = sys.argv[1]
line = '{"id":%d,"name":"customer %d","tags":["a","b",{"c":null}],"note":"%s"}\n'
block = "".join(line % (n, n, "text " * 60) for n in range(10000)).encode()

def fill(name, size):
    os.mkdir(f"{folder}/{name}")
    with open(f"{folder}/{name}/large.ndjson", "wb", buffering=1 << 20) as file:
        written = 0
        while written < size:
            written += file.write(block)

fill("one", 1 << 30)
fill("ten", 10 << 30)
os.mkdir(f"{folder}/small")
for n in range(1000):
    with open(f"{folder}/small/{n:04}.json", "w") as file:
        json.dump({"number": n, "text": ["text " * 40000]}, file)
PYTHON

cat > "$folder/job.yaml" <<'YAML'
version: 1
name: memory
source: {bucket: raw}
record: {set: {seen: true}}
output: {bucket: clean, compression: zstd}
YAML

# measure MEMORY DATA: runs the job, all objects in one batch, and prints "peak MiB (invocations)"
measure() {
  local out=$folder/out
  rm -rf "$out"
  "$programs/mapmill" run --job "$folder/job.yaml" --data "$folder/$2" --out "$out" --memory "$1" --max-items 1000 \
    --max-concurrency 1 --run-id r > "$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
  python3 - "$out/_mapmill/r/summary.json" <<'PYTHON'
import json, sys

invocations = json.load(open(sys.argv[1]))["invocations"]
print(f'{invocations["peak_memory_bytes"] / 2**20:.0f} MiB')
PYTHON
}

echo '| function memory | 1,000 objects of 200 KB | an object of 1 GiB | an object of 10 GiB |'
echo '|---|---|---|---|'
for memory in 128 256 512 1769 3008; do
  echo "| $memory MB | $(measure "$memory" small) | $(measure "$memory" one) | $(measure "$memory" ten) |"
done
