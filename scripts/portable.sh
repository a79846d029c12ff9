#!/usr/bin/env bash
# Holds the engine on processors other than this one. What cannot be done on a machine is said and left out.
#
#   * arm64, where the functions run by default: the core is checked, and the engine's tests run under qemu, on NEON.
#   * A processor without vector instructions (i586): the tests run on the portable code of the crate `wide`, which every
#     x86-64 build leaves aside.
#
# The engine's tests start no process and need no files, so they run anywhere. `constant_memory` streams gigabytes and is
# left out: emulated it would take an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS

CARGO=${CARGO:-cargo}
target_is_there() {
  rustup target list --installed 2>/dev/null | grep -qx "$1" || rustup target add "$1" >/dev/null 2>&1 ||
    { echo "left out: rustup cannot install $1 here"; return 1; }
}

tests=(--lib)
for file in shared/record-stream/tests/*.rs; do
  name=$(basename "$file" .rs)
  [ "$name" = constant_memory ] || tests+=(--test "$name")
done

if target_is_there aarch64-unknown-linux-gnu; then
  packages=(--package record-stream --package job)
  # zstd is C, so this crate can only be looked at where a compiler for arm64 is.
  if command -v aarch64-linux-gnu-gcc >/dev/null; then packages+=(--package object-store); fi
  $CARGO check --quiet "${packages[@]}" --target aarch64-unknown-linux-gnu
  echo "arm64: ${packages[*]//--package/} can be compiled"
fi

# The musl target brings its own C library and rustc its own linker, so no compiler for arm64 is needed.
if ! command -v qemu-aarch64 >/dev/null; then
  echo 'left out: tests on arm64 (qemu-aarch64 is missing; Debian: apt-get install qemu-user)'
elif target_is_there aarch64-unknown-linux-musl; then
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS='-Clink-self-contained=yes -Clinker=rust-lld' \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER=qemu-aarch64 \
    $CARGO test --quiet --package record-stream --target aarch64-unknown-linux-musl "${tests[@]}"
  echo 'arm64: the tests of the engine pass'
fi

if [ "$(uname -m)" != x86_64 ]; then
  echo 'left out: tests without vector instructions (they need an x86-64 machine)'
elif ! echo 'int main(void) { return 0; }' | cc -m32 -x c - -o /dev/null 2>/dev/null; then
  echo 'left out: tests without vector instructions (no 32-bit C library; Debian: apt-get install gcc-multilib)'
elif target_is_there i586-unknown-linux-gnu; then
  $CARGO test --quiet --package record-stream --target i586-unknown-linux-gnu "${tests[@]}"
  echo 'without vector instructions: the tests of the engine pass'
fi
