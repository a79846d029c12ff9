#!/usr/bin/env bash
# Checks template.yaml with the tools that others judge it by, and samconfig.toml beside it:
#
#   * cfn-lint: every rule of the schema of AWS, no rule left out, warnings and notes count as errors;
#   * sam validate --lint: what SAM makes of it can be deployed;
#   * checkov: best practice for security. A rule that is not followed says why in the Metadata of its resource.
#
# What only we know (policies, variables, alarms, docs) is tested in tests/deployment.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python-tools.sh

lint=$(python_tools lint)
checkov=$(python_tools checkov)
# No account is touched; SAM wants a region to read the template.
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-eu-central-1}

if grep -nE 'ignore_checks|cfn-lint:|ignore-checks' template.yaml .cfnlintrc* 2>/dev/null; then
  echo 'no rule of cfn-lint is left out here' >&2
  exit 1
fi
"$lint/cfn-lint" --include-checks I --regions eu-central-1 us-east-1 -- template.yaml
echo 'cfn-lint: no finding'
"$lint/sam" validate --lint --template template.yaml >/dev/null
echo 'sam validate: no finding'

# Every suppression has a reason, and checkov counts as many as there are: one that suppresses nothing is out of date.
reasons=$(grep -cE '^ +- id: CKV' template.yaml)
if grep -A1 -E '^ +- id: CKV' template.yaml | grep -vE 'id: CKV|comment: .{20}|^--'; then
  echo 'a suppression of checkov has no reason' >&2
  exit 1
fi
# Without --quiet, so that what is skipped is counted; the log is shown when something fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "$checkov/checkov" --file template.yaml --framework cloudformation --compact --skip-download >"$log" 2>&1; then
  grep -A3 -E 'FAILED|rror' "$log" >&2 || cat "$log" >&2
  exit 1
fi
summary=$(grep -oE 'Passed checks: [0-9]+, Failed checks: [0-9]+, Skipped checks: [0-9]+' "$log")
if [ "${summary##* }" -ne "$reasons" ]; then
  echo "$reasons suppressions of checkov stand in template.yaml, but $summary" >&2
  exit 1
fi
echo "checkov: $summary"
