#!/usr/bin/env bash
# Deploys the template to ministack, an emulator of AWS, with SAM, and runs it there: tests/emulator says what is tested.
# The functions are the development builds of this machine's processor, not the ones for arm64 that `make build` makes.
# MAPMILL_PROGRAMS names a folder in which they and `mapmill` are already; without it they are built.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python-tools.sh
lint=$(python_tools lint)
emulator=$(python_tools emulator)

functions=()
packages=()
for manifest in functions/*/Cargo.toml; do
  functions+=("$(basename "$(dirname "$manifest")")")
  packages+=(--package "${functions[-1]}")
done
programs=${MAPMILL_PROGRAMS:-}
if [ -z "$programs" ]; then
  ${CARGO:-cargo} build --quiet --package local "${packages[@]}" --bins
  programs=${CARGO_TARGET_DIR:-target}/debug
fi
zips=$(mktemp -d)
trap 'rm -rf "$zips"' EXIT
for function in "${functions[@]}"; do
  # Lines of the source, which make a program four times as large, are of no use in a zip.
  strip -o "$zips/bootstrap" "$programs/$function"
  python3 scripts/zip.py "$zips/bootstrap" "$zips/$function.zip"
done
rm "$zips/bootstrap"
"$emulator/python" tests/emulator/ring.py "$lint/sam" "$emulator" "$zips" "$programs/mapmill"
