#!/usr/bin/env bash
# Real servers, without our command: what they count is what was exchanged, salts stay, slixmpp gets what was sent, in order.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_PROSODY:-} && -n ${XB_EJABBERD:-} ]] || skip "Prosody and ejabberd do not both run (scripts/test starts them)"

client() { timeout 60 python3 scripts/servers.d/client.py "$1" --port "$port" --ca "$ca" "${@:2}"; }

# field JSON NAME…: each a key of what the one before it names.
field() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[2:], json.loads(sys.argv[1])))' "$@"; }

# expect_count KIND RECEIVED COPIES DISTINCT REPLAYED OWN ERRORS
expect_count() {
  local counted kind=$1 name
  counted=$(scripts/servers "$server" count)
  shift
  for name in received copies distinct replayed own errors; do
    [[ $(field "$counted" "$kind" "$name") == "$1" ]] || fail "$server: $name of $kind should be $1: $counted"
    shift
  done
}

check() {
  local server=$1 port=${2##*:} ca=$3 first second
  first=$(field "$(client login --jid u900@localhost --password p900)" salt)
  second=$(field "$(client login --jid u900@localhost --password p900)" salt)
  [[ $first == "$second" ]] || fail "$server draws a fresh salt at each login"
  ! client login --jid u900@localhost --password wrong >/dev/null 2>&1 || fail "$server lets a wrong password in"

  scripts/servers "$server" count --reset >/dev/null
  client exchange --pairs 3 --each 5 --first 0 >/dev/null
  expect_count message 15 15 15 0 0 0
  # The same tokens again are copies, but none that is distinct; what has no token is not counted at all.
  client exchange --pairs 3 --each 5 --first 0 >/dev/null
  client exchange --pairs 3 --each 5 --prefix ym >/dev/null
  expect_count message 30 30 15 0 0 0
  [[ $(field "$(scripts/servers "$server" count --recipients)" u3@localhost) == 10 ]] || fail "$server: u3 got 10 copies"
  [[ $(field "$(scripts/servers "$server" count)" recipients) == 3 ]] || fail "$server: three users got copies"

  # Every occupant of a room gets a copy, its sender too. Presence comes back to its sender, and is no copy there.
  client exchange --pairs 3 --each 5 --prefix xg >/dev/null
  client exchange --pairs 3 --each 5 --prefix xp >/dev/null
  expect_count groupchat 15 30 30 0 0 0
  expect_count presence 18 15 15 0 3 0
  expect_count message 30 30 15 0 0 0

  # Kept for who is away, and shown again at the login: no copy. Sent to who is not there at all: an error.
  scripts/servers "$server" count --reset >/dev/null
  client leave --to u7@localhost --count 4 >/dev/null
  expect_count message 4 0 0 0 0 0
  client fetch --jid u7@localhost --password p7 --count 4 >/dev/null
  expect_count message 4 0 0 4 0 0
  client leave --to nobody@localhost --count 2 --errors >/dev/null
  expect_count message 6 0 0 4 0 2
}

receive() {
  local server=$1 port=${2##*:} ca=$3
  start "slixmpp-$server" "$XB_PYTHON" scripts/slixmpp_receiver.py --port "$port" --ca "$ca" \
    --jid u11@localhost --password p11
  wait_for_line "slixmpp-$server.out" '^ready$' 30
  client leave --to u11@localhost --count 50 >/dev/null
  wait_for_line "slixmpp-$server.out" '^xm.*31	' 20
  kill -TERM "$started"
  expect_exit "$started" 0 20
  python3 - "$story_dir/slixmpp-$server.out" <<'PYTHON' || fail "$server: slixmpp got others, or in another order"
import sys
sys.path.insert(0, "scripts/servers.d")
from client import token
lines = open(sys.argv[1]).read().splitlines()
assert lines == ["ready"] + [f"{token('xm', n)}\t{token('xm', n)}" for n in range(50)], lines
PYTHON
}

check prosody "$XB_PROSODY" "$XB_PROSODY_CA"
check ejabberd "$XB_EJABBERD" "$XB_EJABBERD_CA"
[[ -n ${XB_PYTHON:-} ]] || skip "slixmpp is missing (pip install slixmpp)"
receive prosody "$XB_PROSODY" "$XB_PROSODY_CA"
receive ejabberd "$XB_EJABBERD" "$XB_EJABBERD_CA"
