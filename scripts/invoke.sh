#!/usr/bin/env bash
# Invokes one function once, as `cargo lambda` does it: the embedded S3 serves the objects of a folder as the bucket
# `examples` and keeps the bucket `clean` in an output folder; `cargo lambda watch` builds and hosts the function.
# usage: scripts/invoke.sh FUNCTION EVENT DATA OUT
set -euo pipefail
cd "$(dirname "$0")/.."
function=$1 event=$2 data=$3 out=$4
programs=${CARGO_TARGET_DIR:-target}/debug
log=$(mktemp -d)

cargo build --quiet --package local --package "$function" --bins

finish() {
  trap - EXIT INT TERM
  kill "${watch:-}" "${s3:-}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wait_for() { # file, pattern, process, what
  for _ in $(seq 1 600); do
    grep -q "$2" "$1" 2>/dev/null && return 0
    kill -0 "$3" 2>/dev/null || break
    sleep 0.2
  done
  echo "$4 did not start:" >&2
  cat "$1" >&2
  return 1
}

"$programs/mapmill" serve --data "$data" --bucket examples --out "$out" --out-bucket clean >"$log/s3" 2>"$log/s3.errors" &
s3=$!
wait_for "$log/s3" AWS_ENDPOINT_URL_S3 "$s3" 'The embedded S3'
# shellcheck disable=SC1090
source <(grep '^export ' "$log/s3")
export MAPMILL_READ=examples MAPMILL_WRITE=clean

port=${INVOKE_PORT:-9127}
cargo lambda watch --invoke-address 127.0.0.1 --invoke-port "$port" --ignore-changes >"$log/watch" 2>&1 &
watch=$!
for _ in $(seq 1 300); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$watch" 2>/dev/null || { cat "$log/watch" >&2; exit 1; }
  sleep 0.2
done

if ! cargo lambda invoke "$function" --invoke-address 127.0.0.1 --invoke-port "$port" --data-file "$event" --output-format json; then
  cat "$log/watch" >&2
  exit 1
fi
echo
echo "The output lies in $out."
