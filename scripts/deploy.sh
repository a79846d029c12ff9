#!/usr/bin/env bash
# Builds the functions with SAM, deploys the stack with `sam deploy --guided`, and prints how to start a run.
# More arguments go to `sam deploy`; with `--no-guided` among them nothing is asked and samconfig.toml decides.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python-tools.sh

sam=$(python_tools lint)/sam
guided=(--guided)
arguments=()
for argument in "$@"; do
  if [ "$argument" = --no-guided ]; then guided=(); else arguments+=("$argument"); fi
done

# SAM asks for the processor after it has built for it. What was answered last time, or ARCHITECTURE, decides.
deployed_for() { sed -n 's/^parameter_overrides.*Architecture=\\"\([a-z0-9_]*\)\\".*/\1/p' samconfig.toml; }
architecture=${ARCHITECTURE:-$(deployed_for)}
architecture=${architecture:-arm64}
"$sam" build --parameter-overrides "Architecture=$architecture"
"$sam" deploy "${guided[@]}" "${arguments[@]}"
answered=$(deployed_for)
if [ -n "$answered" ] && [ "$answered" != "$architecture" ]; then
  echo "The functions were built for $architecture and deployed as $answered, so they cannot start." >&2
  echo "Run it again: they are then built for $answered." >&2
  exit 1
fi

# `--guided` may have written another name than the one it began with.
stack=$(sed -n 's/^stack_name *= *"\(.*\)"/\1/p' samconfig.toml | tail -n 1)
for ((i = 0; i + 1 < ${#arguments[@]}; i++)); do
  if [ "${arguments[i]}" = --stack-name ]; then stack=${arguments[i + 1]}; fi
done
region=$(sed -n 's/^region *= *"\(.*\)"/\1/p' samconfig.toml | tail -n 1)
outputs=$("$sam" list stack-outputs --stack-name "$stack" ${region:+--region "$region"} --output json)
start=$(python3 -c '
import json, sys
print(next(one["OutputValue"] for one in json.load(sys.stdin) if one["OutputKey"] == "StartCommand"))' <<<"$outputs")

cat <<END

Deployed as $stack. A first run: write a job whose source and output are those of the stack (docs/job-file.md), then

  mapmill input --job job.yaml > input.json
  $start

docs/tutorial.md goes on from here. \`sam delete --stack-name $stack\` removes everything but the data.
END
