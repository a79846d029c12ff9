#!/usr/bin/env bash
# Fuzzes every decoder, the job file and the event: FUZZ_SECONDS each (60), or only the targets named.
#
# No sanitizer is used: our crates forbid unsafe code, and without one the stable toolchain builds the targets. The
# first crash ends the run with the file that reproduces it. What a run learns stays in fuzz/corpus, which is not
# committed; fuzz/seeds is.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for source in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$source" .rs)"); done
fi
for target in "${targets[@]}"; do
  [ -f "fuzz/fuzz_targets/$target.rs" ] || { echo "no fuzz target $target; see fuzz/README.md" >&2; exit 2; }
done
cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz
cargo fuzz build --sanitizer none
host=$(rustc -vV | sed -n 's/^host: //p')
binaries=${CARGO_TARGET_DIR:-fuzz/target}/$host/release

for target in "${targets[@]}"; do
  case $target in
    csv) dictionary=csv ;;
    job_file) dictionary=job ;;
    event) dictionary=event ;;
    expand) dictionary=compressed ;;
    *) dictionary=json ;;
  esac
  mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
  log=fuzz/artifacts/$target/log
  if ! "$binaries/$target" "fuzz/corpus/$target" "fuzz/seeds/$target" \
    -dict="fuzz/dictionaries/$dictionary.dict" -artifact_prefix="fuzz/artifacts/$target/" \
    -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    file=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "$target failed on ${file:-an input that could not be saved}" >&2
    echo "again: cargo fuzz run --sanitizer none $target $file" >&2
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  memory=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  printf '%-10s  no crash in %s s  %10s runs  %6s edges  %4s MB\n' "$target" "$seconds" "$runs" "$edges" "$memory"
done
