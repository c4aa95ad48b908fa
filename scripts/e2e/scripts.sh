#!/usr/bin/env bash
# The scripts themselves: shellcheck has nothing to say, and Python can read what is Python.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python3 - scripts/*.py scripts/*/*.py <<'PYTHON' || fail "a Python script cannot be read"
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
PYTHON
command -v shellcheck >/dev/null || skip "shellcheck is missing (apt-get install shellcheck)"
mapfile -t scripts < <(grep -rlE '^#!/usr/bin/env bash|^# shellcheck shell=bash' scripts .ci)
shellcheck --external-sources --severity=style "${scripts[@]}" || fail "shellcheck found something; see above"
