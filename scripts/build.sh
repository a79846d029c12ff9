#!/usr/bin/env bash
# Builds every function for both architectures of Lambda: dist/<architecture>/<function>.zip, each holding `bootstrap`, and
# beside it <function>.cdx.json, the list of all crates in it with version and licence (CycloneDX). dist/SHA256SUMS has
# their digests.
#
# So that the same source can give the same bytes, wherever it lies, paths are taken out of the binaries, and times and
# owners out of the zips. `scripts/rebuild.sh` says whether it does.
# usage: scripts/build.sh [ARCHITECTURE...]
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO=${CARGO:-cargo}
CYCLONEDX_VERSION=0.5.9
architectures=("${@:-arm64}")
if [ "$#" -eq 0 ]; then architectures=(arm64 x86-64); fi
tools=${MAPMILL_TOOLS:-$PWD/.tools}
target_dir=${CARGO_TARGET_DIR:-target}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="--remap-path-prefix=$PWD=/mapmill --remap-path-prefix=$cargo_home=/cargo"
# The time of everything that wants one, and what CycloneDX leaves its random serial number out for.
export SOURCE_DATE_EPOCH=315532800

cyclonedx=$tools/cyclonedx/bin/cargo-cyclonedx
if [ "$("$cyclonedx" cyclonedx --version 2>/dev/null | awk '{print $NF}')" != "$CYCLONEDX_VERSION" ]; then
  echo "Installing cargo-cyclonedx $CYCLONEDX_VERSION into $tools (two minutes, once) ..."
  env -u RUSTFLAGS $CARGO install --quiet --locked --version "$CYCLONEDX_VERSION" --root "$tools/cyclonedx" cargo-cyclonedx
fi

rm -rf dist
for architecture in "${architectures[@]}"; do
  case $architecture in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86-64) target=x86_64-unknown-linux-gnu ;;
    *) echo "expected arm64 or x86-64, found $architecture" >&2; exit 2 ;;
  esac
  if command -v rustup >/dev/null; then rustup target add "$target" >/dev/null 2>&1 || true; fi
  mkdir -p "dist/$architecture"
  for manifest in functions/*/Cargo.toml; do
    function=$(basename "$(dirname "$manifest")")
    echo "Building $function for $architecture ..."
    $CARGO lambda build --quiet --release "--$architecture" --package "$function" --bin "$function"
    python3 scripts/zip.py "$target_dir/lambda/$function/bootstrap" "dist/$architecture/$function.zip"
    env -u CARGO "$cyclonedx" cyclonedx --quiet --manifest-path "$manifest" --target "$target" --format json --override-filename sbom
    sed "s|file://$PWD|file:///mapmill|g" "functions/$function/sbom.json" >"dist/$architecture/$function.cdx.json"
    # The tool writes one for every crate of the workspace.
    find . -path ./target -prune -o -path ./.tools -prune -o -name sbom.json -print0 | xargs -0 rm -f
  done
done
(cd dist && sha256sum -- */* >SHA256SUMS)
ls -l dist/*/*.zip
