#!/usr/bin/env bash
# Says whether a build can be repeated: builds the last commit again in another folder, with another target folder, and
# compares with what `make build` left in dist. Takes as long as the first build from cold.
# usage: scripts/rebuild.sh [ARCHITECTURE...]
set -euo pipefail
cd "$(dirname "$0")/.."
first=$PWD/dist
[ -f "$first/SHA256SUMS" ] || { echo 'there is nothing to compare with: run make build first' >&2; exit 2; }
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
  echo 'what is not committed would not be in the second build: commit it and run make build again' >&2
  exit 2
fi
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
git clone --quiet --no-hardlinks . "$elsewhere/a-checkout-with-another-name"
cd "$elsewhere/a-checkout-with-another-name"
MAPMILL_TOOLS=${MAPMILL_TOOLS:-$first/../.tools} CARGO_TARGET_DIR=$elsewhere/target scripts/build.sh "$@" >/dev/null
failed=0
for file in dist/*/*; do
  if cmp --silent "$file" "$first/${file#dist/}"; then echo "same bytes: ${file#dist/}"; else
    echo "other bytes: ${file#dist/}" >&2
    failed=1
  fi
done
exit "$failed"
