#!/usr/bin/env bash
# Faults in a run: whatever the server, the network or the disk does, the run ends in time, with a clear error or a readable
# result, the right exit code, and no panic. (Signals and kills: tests/run_all/ends.rs.)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache

# run_small CODE SECONDS OPTIONS…: the small profile, to its end, with this exit code; the result in $result.
run_small() {
  local code=$1 seconds=$2
  shift 2
  result=$story_dir/result.json
  rm -f "$result"
  expect_run "$code" "$seconds" "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$result" "$@"
  expect_no_panic
}

# start_small OPTIONS…: the same in the background; its pid in $run.
start_small() {
  result=$story_dir/result.json
  rm -f "$result"
  start run "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$result" "$@"
  run=$started
}

# said TEXT: the last run said so, to a person. Lines are wrapped to a terminal's width, so their ends count as spaces.
said() {
  tr -s ' \n' ' ' <"$story_dir/run.out" >"$story_dir/flat"
  tr -s ' \n' ' ' <"$story_dir/run.err" >>"$story_dir/flat"
  grep -Fq -- "$1" "$story_dir/flat" || fail "nothing was said of '$1': $(tail -n 20 "$story_dir/run.out" "$story_dir/run.err")"
}

# holds EXPRESSION…: each is true of the result (see result.py).
holds() {
  local expression seen
  for expression in "$@"; do
    seen=$(python3 scripts/e2e/result.py "$result" "$expression") || fail "$result cannot be read"
    [[ $seen == True ]] || fail "$expression is $seen; message account: $(python3 scripts/e2e/result.py "$result" message "r['exit']")"
  done
}

# wait_for_second SECOND: until the run's journal has come so far. A record per second; the first line is the preamble.
wait_for_second() {
  local end=$((SECONDS + 30))
  until (($(wc -l 2>/dev/null <"$result.journal" || echo 0) > $1)); do
    ((SECONDS < end)) || fail "the run's journal did not get to second $1"
    sleep 0.05
  done
}

# serve OPTIONS…: the embedded server in a process of its own; $server is its pid, $address and $ca how to reach it.
serve() {
  ca=$story_dir/ca.pem
  start serve "$XB_BIN" serve --listen 127.0.0.1:0 --ca-out "$ca" "$@"
  server=$started
  wait_for_line serve.err '^listening on ' 20
  address=$(sed -n 's/^listening on \([^;]*\);.*/\1/p' "$story_dir/serve.err")
}

nobody_listens() {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  run_small 3 15 --target "xmpp://127.0.0.1:$port"
  said "nobody listens at the target"
  # A run that never began says nothing of the generator.
  holds "r['verdict']['state'] != 'generator-limited'"
  holds "message['expected'] == 0" "r['exit']['code'] == 3"
}

never_answers() {
  start silent python3 -c '
import socket
listener, kept = socket.create_server(("127.0.0.1", 0), backlog=100), []
print(listener.getsockname()[1], flush=True)
while True:
    kept.append(listener.accept())'
  wait_for_line silent.out '^[0-9]+$' 10
  run_small 3 40 --target "xmpp://127.0.0.1:$(cat "$story_dir/silent.out")"
  said "nobody could log in"
  kill -KILL "$started" 2>/dev/null || true
}

talks_something_else() {
  start babble python3 -c '
import socket
listener = socket.create_server(("127.0.0.1", 0), backlog=100)
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    peer.sendall(b"SSH-2.0-OpenSSH_9.9\r\n" * 1000)
    peer.close()'
  wait_for_line babble.out '^[0-9]+$' 10
  run_small 3 40 --target "xmpp://127.0.0.1:$(cat "$story_dir/babble.out")"
  said "nobody could log in"
}

wrong_password() {
  serve --known-only
  run_small 3 20 --target "xmpp://$address" --set "target.ca_file=$ca" --set users.0.password=wrong
  said "not-authorized"
  # A password that was refused is not tried again: nobody is locked out by a load test.
  holds "sum(login['outcomes'].values()) <= 20"
  kill -TERM "$server"
  expect_exit "$server" 0 20
  python3 -c 'import json, sys; n = json.load(open(sys.argv[1]))["auth_failures"]; assert 0 < n <= 20, n' \
    "$story_dir/serve.out" || fail "the server saw more attempts than users"
}

bad_certificate() {
  serve
  cp "$ca" "$story_dir/other.pem"
  kill -TERM "$server"
  expect_exit "$server" 0 20
  serve
  run_small 3 20 --target "xmpp://$address" --set "target.ca_file=$story_dir/other.pem"
  said "certificate"
  run_small 3 20 --target "xmpp://$address"
  said "certificate"
  # Asked for another domain, a server says that it is not its own, or has no certificate for it.
  run_small 3 20 --target "xmpp://$address" --set "target.ca_file=$ca" --set target.domain=elsewhere.example
  said "host-unknown"
  kill -KILL "$server"
}

server_killed() {
  serve
  start_small --target "xmpp://$address" --set "target.ca_file=$ca"
  wait_for_second 3
  kill -KILL "$server"
  exit_code_of "$run" 40
  expect_no_panic
  # Whose fault it was is for the verdict; that the run is no success is certain.
  ((code == 7 || code == 0)) || fail "exit code $code: $(cat "$story_dir/run.err")"
  holds "message['delivered'] > 50" "message['unsent'] > 50" "message['lost'] == 0" "message['indeterminate'] <= 100" \
    "r['verdict']['state'] != 'valid'" "any(e['class'] == 'network' for e in r['errors'])"
}

# It takes what fits into the buffers and no more: what was handed over is lost, and nothing of it is the generator's.
server_stops_reading() {
  serve
  start proxy python3 scripts/e2e/proxy.py --to "$address"
  local proxy=$started
  wait_for_line proxy.out '^[0-9]+$' 10
  start_small --target "xmpp://127.0.0.1:$(head -n 1 "$story_dir/proxy.out")" --set "target.ca_file=$ca"
  wait_for_second 3
  kill -USR2 "$proxy"
  exit_code_of "$run" 60
  expect_no_panic
  grep -q '^stalled 20' "$story_dir/proxy.out" || fail "the proxy did not stall 20 users"
  holds "message['delivered'] > 50" "message['lost'] > 50" "message['failed'] == 0" "message['indeterminate'] == 0" \
    "r['verdict']['state'] in ('server-limited', 'generator-limited')" "r['complete']"
  kill -KILL "$proxy" "$server"
}

connections_cut() {
  serve
  start proxy python3 scripts/e2e/proxy.py --to "$address" --share 0.25
  local proxy=$started
  wait_for_line proxy.out '^[0-9]+$' 10
  start_small --target "xmpp://127.0.0.1:$(head -n 1 "$story_dir/proxy.out")" --set "target.ca_file=$ca"
  wait_for_second 3
  kill -USR1 "$proxy"
  exit_code_of "$run" 60
  expect_no_panic
  grep -q '^cut 5 of 20' "$story_dir/proxy.out" || fail "the proxy did not cut 5 of 20 users"
  # They come back: a new login each, and the account stays whole.
  holds "message['lost'] == 0" "message['duplicated'] == 0" "message['delivered'] > 200" \
    "sum(p['operations'].get('login', {'outcomes': {}})['outcomes'].get('ok', 0) for p in r['phases']) == 25"
  kill -KILL "$proxy" "$server"
}

disk_full() {
  small_disk 1
  # No room at all, from the beginning.
  fill "$disk"
  expect_fails_for_space
  rm "$disk/filler"
  # Room for the beginning of the journal, not for its end.
  fill "$disk" 16
  expect_fails_for_space
  run_summary_of_what_is_left
  # Full in the middle of the run.
  rm -f "$disk"/*
  result=$disk/r.json
  start run "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$result"
  run=$started
  wait_for_second 2
  fill "$disk"
  expect_exit "$run" 1 40
  said "No space left on device"
  expect_no_panic
  run_summary_of_what_is_left
  rm "$disk/filler" "$result.journal"
  # And with room again it works.
  start run "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$result"
  exit_code_of "$started" 40
  ((code == 0 || code == 7)) || fail "exit code $code"
  holds "message['delivered'] == message['expected']" "r['complete']"
}

expect_fails_for_space() {
  start run "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$disk/r.json"
  exit_code_of "$started" 40
  ((code == 1 || code == 2)) || fail "a full disk ended with $code"
  said "No space left on device"
  expect_no_panic
  [[ ! -e $disk/r.json ]] || fail "half a result stands under its name"
}

# What the journal holds can be read, or it is said that there is nothing yet.
run_summary_of_what_is_left() {
  start summary timeout 20 "$XB_BIN" summary --json "$disk/r.json.journal"
  exit_code_of "$started" 20
  case $code in
    0) python3 scripts/e2e/result.py "$story_dir/summary.out" "not r['complete']" | grep -q True || fail "it is whole?" ;;
    2) grep -q "killed before it began" "$story_dir/summary.err" || fail "unclear: $(cat "$story_dir/summary.err")" ;;
    *) fail "summary ended with $code" ;;
  esac
}

told=(nobody_listens never_answers talks_something_else wrong_password bad_certificate server_killed server_stops_reading
  connections_cut disk_full)
(($#)) && told=("$@")
for fault in "${told[@]}"; do
  echo "-- $fault"
  "$fault"
done
