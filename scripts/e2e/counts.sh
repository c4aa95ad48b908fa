#!/usr/bin/env bash
# A count that isn't ours: the quickstart with 1,000 users over STARTTLS and SCRAM-SHA-256 against Prosody and ejabberd. What
# the server itself counted at its clients' connections is what the result says; then the same with users cut without notice.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
[[ -n ${XB_PROSODY:-} && -n ${XB_EJABBERD:-} ]] || skip "Prosody and ejabberd do not both run (scripts/test starts them)"
# Keys derived in the first run serve the second.
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache

quickstart=(profiles/quickstart.toml --set phase.ramp.duration=6s --set phase.steady.duration=6s --set 'users.0.auth=["SCRAM-SHA-256"]')

# start_quickstart TARGET CA: in the background; $run is its pid, $result its file.
start_quickstart() {
  result=$story_dir/$server.json
  rm -f "$result"
  start run "$XB_BIN" run "${quickstart[@]}" --quiet --out "$result" \
    --target "$1" --set "target.ca_file=$2" --set target.domain=localhost
  run=$started
}

# The run ends well: the verdict is printed and not judged, for it is also about this machine.
end_quickstart() {
  exit_code_of "$run" 90
  expect_no_panic
  python3 scripts/e2e/result.py "$result" "'$server: ' + r['verdict']['state'], message, r['exit']"
  ((code == 0 || code == 4 || code == 7)) || fail "exit code $code: $(tail -n 5 "$story_dir/run.out" "$story_dir/run.err")"
}

# holds EXPRESSION…: each is true of the result and of the server's own count, `count`.
holds() {
  local expression seen counted
  counted=$(scripts/servers "$server" count)
  for expression in "$@"; do
    seen=$(python3 scripts/e2e/result.py "$result" "(lambda count: $expression)($counted)") || fail "$result cannot be read"
    [[ $seen == True ]] || fail "$server: $expression is $seen; it counted $counted; $(python3 scripts/e2e/result.py "$result" message)"
  done
}

undisturbed() {
  scripts/servers "$server" count --reset >/dev/null
  start_quickstart "$target" "$ca"
  end_quickstart
  holds "message['expected'] > 1000" "message['lost'] == message['failed'] == message['indeterminate'] == 0" \
    "message['expected'] == message['delivered'] == count['received'] == count['distinct']" \
    "message['delivered'] + message['duplicated'] == count['copies']" \
    "message['replayed'] == count['replayed'] == count['errors'] == message['misdelivered'] == message['stale'] == 0" \
    "sum(p['operations'].get('login', {'outcomes': {}})['outcomes'].get('ok', 0) for p in r['phases']) == 1000" \
    "r['target']['tls']['mode'] == 'starttls' and r['target']['tls']['handshakes_resumed'] == 0"
}

# A tenth of the users is reset, on both sides and without notice, through a proxy. What was on its way then, nobody can say;
# so the two counts enclose each other, and the difference is what the result calls indeterminate:
#
# - a copy we call delivered was written by the server: delivered ≤ distinct, and with surplus copies ≤ copies;
# - a token the server wrote and we never read belongs to a message we call indeterminate: distinct ≤ delivered + indeterminate;
# - a message that never reached the server left a sender that was cut: expected − indeterminate ≤ received ≤ expected;
# - none is lost: where the users stayed, everything came; and where they did not, it would be wrong to blame the server;
# - stored for a user that was away and shown again, or sent back: that too only happens to what is indeterminate or failed.
users_cut() {
  start "proxy-$server" python3 scripts/e2e/proxy.py --to "${target#xmpp://}" --share 0.1
  local proxy=$started
  wait_for_line "proxy-$server.out" '^[0-9]+$' 10
  scripts/servers "$server" count --reset >/dev/null
  start_quickstart "xmpp://127.0.0.1:$(head -n 1 "$story_dir/proxy-$server.out")" "$ca"
  wait_for_second 9
  kill -USR1 "$proxy"
  end_quickstart
  grep -Eq '^cut 100 of 1000' "$story_dir/proxy-$server.out" || fail "not 100 of 1,000 users were cut: $(cat "$story_dir/proxy-$server.out")"
  holds "message['lost'] == 0" "message['delivered'] > 1000" "message['duplicated'] == message['misdelivered'] == 0" \
    "message['delivered'] <= count['distinct'] <= message['delivered'] + message['indeterminate']" \
    "message['delivered'] + message['duplicated'] <= count['copies'] <= message['delivered'] + message['duplicated'] + message['indeterminate']" \
    "message['expected'] - message['indeterminate'] <= count['received'] <= message['expected']" \
    "count['errors'] + count['replayed'] <= message['indeterminate'] + message['failed'] + message['replayed']" \
    "message['indeterminate'] < 200" \
    "sum(p['operations'].get('login', {'outcomes': {}})['outcomes'].get('ok', 0) for p in r['phases']) == 1100"
  kill -TERM "$proxy"
}

# wait_for_second SECOND: until the run's journal has come so far. A record per second; the first line is the preamble.
wait_for_second() {
  local end=$((SECONDS + 60))
  until (($(wc -l 2>/dev/null <"$result.journal" || echo 0) > $1)); do
    ((SECONDS < end)) || fail "the run's journal did not get to second $1"
    sleep 0.05
  done
}

for server in ${1:-prosody ejabberd}; do
  target=XB_${server^^} ca=XB_${server^^}_CA
  target=${!target} ca=${!ca}
  undisturbed
  users_cut
done
