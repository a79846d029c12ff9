#!/usr/bin/env bash
# Builds every function for both architectures of Lambda: dist/<architecture>/<function>.zip, each holding `bootstrap`.
set -euo pipefail
cd "$(dirname "$0")/.."

target_dir=${CARGO_TARGET_DIR:-target}
rm -rf dist
for architecture in arm64 x86-64; do
  case $architecture in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86-64) target=x86_64-unknown-linux-gnu ;;
  esac
  if command -v rustup >/dev/null; then rustup target add "$target" >/dev/null 2>&1 || true; fi
  for manifest in functions/*/Cargo.toml; do
    function=$(basename "$(dirname "$manifest")")
    echo "Building $function for $architecture ..."
    cargo lambda build --quiet --release "--$architecture" --package "$function" --bin "$function" --output-format zip
    mkdir -p "dist/$architecture"
    cp "$target_dir/lambda/$function/bootstrap.zip" "dist/$architecture/$function.zip"
  done
done
ls -l dist/*/*.zip
