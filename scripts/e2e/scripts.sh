#!/usr/bin/env bash
# The scripts themselves: shellcheck has nothing to say, and Python can read what is Python.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

mapfile -t python < <(grep -rlE '^#!/usr/bin/env python3' scripts)
python3 - scripts/*.py scripts/*/*.py "${python[@]}" <<'PYTHON' || fail "a Python script cannot be read"
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
PYTHON
command -v shellcheck >/dev/null || skip "shellcheck is missing (apt-get install shellcheck)"
mapfile -t scripts < <(grep -rlE '^#!/usr/bin/env bash|^# shellcheck shell=bash' scripts .ci)
# Sourced files set variables for those that source them (SC2034, SC2154).
shellcheck --external-sources --source-path=SCRIPTDIR --exclude=SC2034,SC2154 "${scripts[@]}" || fail "shellcheck found something; see above"
