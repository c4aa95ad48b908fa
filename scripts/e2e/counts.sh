#!/usr/bin/env bash
# A count that isn't ours: 300 users over STARTTLS and SCRAM-SHA-256 write to each other, change their presence and talk in rooms
# on Prosody and ejabberd. What the server itself counted at its clients' connections is what the result says, for each kind; then
# the same with sessions that end and begin again and users who log out, and with users cut without notice.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
[[ -n ${XB_PROSODY:-} && -n ${XB_EJABBERD:-} ]] || skip "Prosody and ejabberd do not both run (scripts/test starts them)"
# Keys derived in the first run serve the others.
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache

calm=scripts/e2e/counts.toml
churning=$story_dir/churning.toml
cat "$calm" - >"$churning" <<'TOML'

# Fifteen sessions a second end, three in ten of them without a word.
[[activity]]
kind = "churn"
rate = "15/s"
away = "uniform(1s, 3s)"
cut = "30%"

# Towards evening users log out, and in the morning some come back.
[[phase]]
name = "evening"
duration = "4s"
users = 60

[[phase]]
name = "morning"
duration = "4s"
users = 200
TOML

# make_accounts SERVER…: all at a time; what is there already is left as it is.
make_accounts() {
  local making=()
  for server in "$@"; do
    set_target
    start "accounts-$server" "$XB_BIN" accounts create "$calm" --contacts --rate 1000/s --quiet \
      --state "$story_dir/$server.state" --target "$target" --set "target.ca_file=$ca"
    making+=("$started")
  done
  for started in "${making[@]}"; do
    expect_exit "$started" 0 180
  done
}

set_target() {
  target=XB_${server^^} ca=XB_${server^^}_CA
  target=${!target} ca=${!ca}
}

# start_run PROFILE TARGET: in the background; $run is its pid, $result its file.
start_run() {
  result=$story_dir/$server.json
  rm -f "$result"
  scripts/servers "$server" count --reset >/dev/null
  start run "$XB_BIN" run "$1" --quiet --out "$result" --target "$2" --set "target.ca_file=$ca"
  run=$started
}

# The run ends well: the verdict is printed and not judged, for it is also about this machine.
end_run() {
  exit_code_of "$run" 90
  expect_no_panic
  counted=$(scripts/servers "$server" count)
  echo "$server, $1: $(python3 scripts/e2e/result.py "$result" "r['verdict']['state']")"
  python3 scripts/e2e/result.py "$result" \
    "'\n'.join(f'  {kind}: {account}' for kind, account in r['ledger'].items())"
  echo "  counted: $counted"
  ((code == 0 || code == 4 || code == 7)) || fail "exit code $code: $(tail -n 5 "$story_dir/run.out" "$story_dir/run.err")"
}

# holds EXPRESSION…: each is true of the result and of what the server counted (see result.py).
holds() { expect_true "$server" "$@"; }

# each_holds EXPRESSION…: the same for each kind.
each_holds() {
  local kind
  for kind in message groupchat presence; do
    expect_true "$server, $kind" --kind "$kind" "$@"
  done
}

# expect_true WHAT [--kind KIND] EXPRESSION…
expect_true() {
  local what=$1 options=(--count "$counted") seen number
  shift
  if [[ $1 == --kind ]]; then
    options+=(--kind "$2")
    shift 2
  fi
  seen=$(python3 scripts/e2e/result.py "$result" "${options[@]}" "$@") || fail "$what: $result cannot be read"
  mapfile -t seen <<<"$seen"
  for ((number = 0; number < $#; number++)); do
    [[ ${seen[number]:-} == True ]] || fail "$what: ${*:number+1:1} is ${seen[number]:-}; the counts stand above"
  done
}

# Everything is equal. Users come online while others talk already: a copy that reaches one of them before the tool counts on
# it is owed to nobody and `replayed` to us; the server calls replayed what it marks as stored. The sums are equal either way.
undisturbed() {
  start_run "$calm" "$target"
  end_run undisturbed
  each_holds "ours['expected'] == ours['delivered'] > 500" "ours['misdelivered'] == ours['stale'] == theirs['errors'] == 0" \
    "read == written" "theirs['replayed'] <= ours['replayed']" "theirs['copies'] - theirs['distinct'] == ours['duplicated']"
  # A message has one recipient, so stanzas are copies. A room message has a fan-out. Presence comes back to its sender.
  holds "message['expected'] == count['message']['received'] == count['message']['distinct']" \
    "message['delivered'] + message['duplicated'] == count['message']['copies']" \
    "message['replayed'] == count['message']['replayed'] == count['groupchat']['replayed'] == 0" \
    "attempts('groupchat.fanout', 'ok', 'late') == count['groupchat']['received']" \
    "count['presence']['received'] == count['presence']['own']" \
    "attempts('login', 'ok', 'late') == count['recipients'] == 300" \
    "r['target']['tls']['mode'] == 'starttls' and r['target']['tls']['handshakes_resumed'] == 0"
}

# Sessions end: what was on its way then, nobody can say. So the two counts enclose each other, and the difference is what the
# result calls indeterminate, for each kind:
#
# - a copy we read was written: read ≤ written, and what we call delivered was no surplus copy: delivered ≤ distinct;
# - a copy that was written and we never read was owed, and is indeterminate (and no `stale` one, which we read too late to call
#   it delivered); or it was owed to nobody, for it went to a user that we knew to be gone and the server did not yet. That
#   can't be a message, for we write to nobody who is gone; of the other kinds there is less than one for each session that ended
# - what never reached the server left a sender that was gone: handed over − indeterminate ≤ received ≤ handed over;
# - presence comes back to its sender, unless that is gone (or to two of its sessions, if the server has not noticed yet);
# - none is lost: where the users stayed, everything came; and where they did not, it would be wrong to blame the server;
# - a message that was stored and shown again, or sent back, is one of those that are indeterminate or failed.
#
# disturbed ENDED: ENDED is how many sessions ended, as an expression.
disturbed() {
  local ended=$1
  each_holds "ours['lost'] == ours['duplicated'] == ours['misdelivered'] == 0" \
    "ours['delivered'] > 500" "ours['indeterminate'] < ours['expected'] / 10" \
    "ours['delivered'] <= theirs['distinct'] <= theirs['copies']" \
    "0 <= written - read <= ours['indeterminate'] - ours['stale'] + (0 if ours is message else $ended)" \
    "theirs['errors'] <= ours['indeterminate'] + ours['failed']"
  holds "message['expected'] - message['indeterminate'] <= count['message']['received'] <= message['expected']" \
    "0 <= attempts('groupchat.fanout', 'ok', 'late', 'failed', 'indeterminate') - count['groupchat']['received'] \
      <= attempts('groupchat.fanout', 'indeterminate')" \
    "abs(count['presence']['received'] - count['presence']['own']) <= $ended" \
    "count['message']['errors'] + count['message']['replayed'] \
      <= message['indeterminate'] + message['failed'] + message['replayed']"
}

sessions_come_and_go() {
  start_run "$churning" "$target"
  end_run "with churn"
  disturbed "(attempts('churn.close', 'ok') + attempts('churn.cut', 'ok') + attempts('logout', 'ok'))"
  holds "attempts('logout', 'ok') > 150 and attempts('logout', 'timeout', 'failed') == 0" "attempts('churn.close', 'ok') > 50" "attempts('churn.cut', 'ok') > 20" "attempts('login', 'ok', 'late') > 350"
}

# A tenth of the users is reset, on both sides and without notice, through a proxy.
users_cut() {
  start "proxy-$server" python3 scripts/e2e/proxy.py --to "${target#xmpp://}" --share 0.1
  local proxy=$started
  wait_for_line "proxy-$server.out" '^[0-9]+$' 10
  start_run "$calm" "xmpp://127.0.0.1:$(head -n 1 "$story_dir/proxy-$server.out")"
  wait_for_second 10
  kill -USR1 "$proxy"
  end_run "users cut"
  grep -Eq '^cut 30 of 300' "$story_dir/proxy-$server.out" || fail "not 30 of 300 users were cut: $(cat "$story_dir/proxy-$server.out")"
  disturbed 30
  holds "attempts('login', 'ok', 'late') == 330"
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

read -ra servers <<<"${1:-prosody ejabberd}"
make_accounts "${servers[@]}"
for server in "${servers[@]}"; do
  set_target
  undisturbed
  sessions_come_and_go
  users_cut
done
