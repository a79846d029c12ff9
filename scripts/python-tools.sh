# Sourced: installs tools that are Python programs, each set into an environment of its own, from the pinned lists in
# scripts/python. They go to .tools, or to MAPMILL_TOOLS, which may lie outside of the checkout and be kept between builds.

UV_VERSION=0.13.9

# python_tools NAME: makes sure that the set NAME is installed, and prints the folder of its programs.
python_tools() {
  local tools=${MAPMILL_TOOLS:-$PWD/.tools} list=scripts/python/$1.txt
  local folder=$tools/$1 digest
  digest=$(sha256sum "$list" | cut -d' ' -f1)
  if [ "$(cat "$folder/installed" 2>/dev/null)" != "$digest" ]; then
    command -v python3 >/dev/null || { echo 'python3 is needed (apt-get install python3 python3-venv)' >&2; return 1; }
    echo "Installing the tools of $list into $folder ..." >&2
    # uv does in ten seconds what takes pip a minute.
    if [ "$("$tools/uv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
      python3 -m venv --clear "$tools/uv"
      "$tools/uv/bin/pip" install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2
    fi
    python3 -m venv --clear "$folder"
    "$tools/uv/bin/uv" --quiet --no-cache pip install --python "$folder/bin/python" --requirement "$list" >&2
    echo "$digest" >"$folder/installed"
  fi
  echo "$folder/bin"
}
