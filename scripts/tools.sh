# Sourced: puts cargo-lambda and zig on the PATH, installing both from PyPI into .tools when they are missing.
# The versions are pinned; compiling cargo-lambda from source would take a quarter of an hour.

CARGO_LAMBDA_VERSION=1.9.2

if ! command -v cargo-lambda >/dev/null; then
  if [ ! -x .tools/bin/cargo-lambda ]; then
    command -v python3 >/dev/null || { echo 'python3 is needed to install cargo-lambda (apt-get install python3 python3-venv)' >&2; exit 1; }
    echo "Installing cargo-lambda $CARGO_LAMBDA_VERSION and zig into .tools ..." >&2
    python3 -m venv .tools
    .tools/bin/pip install --quiet "cargo-lambda==$CARGO_LAMBDA_VERSION" ziglang
  fi
  PATH="$PWD/.tools/bin:$PATH"
  export PATH
fi
