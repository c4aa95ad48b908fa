#!/usr/bin/env bash
# Prosody and ejabberd observed under load: CPU time, memory and descriptors in the result are what another program read of
# the same processes in /proc meanwhile, and so is what messages and logins cost.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
[[ -n ${XB_PROSODY:-} || -n ${XB_EJABBERD:-} ]] || skip "neither Prosody nor ejabberd runs (scripts/test starts them)"
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache

for server in prosody ejabberd; do
  target=XB_${server^^} ca=XB_${server^^}_CA pid=XB_${server^^}_PID
  [[ -n ${!target:-} ]] || continue
  result=$story_dir/$server.json
  # The other reader begins before the run and ends after it: no instant of the result is outside what it saw.
  start "reader-$server" python3 scripts/e2e/observe.py read "${!pid}" "$story_dir/$server.ended"
  reader=$started
  wait_for_line "reader-$server.out" . 10
  start run "$XB_BIN" run scripts/e2e/observe.toml --quiet --out "$result" --target "${!target}" \
    --set "target.ca_file=${!ca}" --set "observe.pid=${!pid}"
  exit_code_of "$started" 120
  touch "$story_dir/$server.ended"
  expect_no_panic
  # The verdict is not judged: it is also about this machine.
  ((code == 0 || code == 4 || code == 7)) || fail "exit code $code: $(tail -n 5 "$story_dir/run.out" "$story_dir/run.err")"
  expect_exit "$reader" 0 20
  python3 scripts/e2e/observe.py compare "$result" "$story_dir/reader-$server.out" >"$story_dir/compared" ||
    fail "$server: $(cat "$story_dir/compared")"
  echo "$server:"
  cat "$story_dir/compared"
done
