#!/usr/bin/env bash
# Accounts and contacts on Prosody and ejabberd: made in-band, interrupted twice and gone on with; damaged on purpose, found
# and mended; removed. XB_ACCOUNTS and XB_CONTACTS say how many.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
[[ -n ${XB_PROSODY:-} || -n ${XB_EJABBERD:-} ]] || skip "neither Prosody nor ejabberd runs (scripts/test starts them)"
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache
accounts=${XB_ACCOUNTS:-200} contacts=${XB_CONTACTS:-10}
# The longest one command may take.
patience=$((60 + accounts / 4))

# accounts_are COMMAND…: `xmpp-bench accounts COMMAND` for the accounts of this story, in the background.
start_accounts() {
  local command=$1
  shift
  start "accounts" "$XB_BIN" accounts "$command" scripts/servers.d/accounts.toml --target "$target" \
    --set "target.ca_file=$ca" --set "users.0.count=$accounts" --set "users.0.contacts=$contacts" \
    --set 'users.0.jid=acc{n}@{domain}' --set 'users.0.password=q{n}' --rate 1000/s "$@"
}

# expect CODE COMMAND…: the same to its end. What it printed is in $said.
expect() {
  local wanted=$1 began=$SECONDS
  shift
  start_accounts "$@"
  expect_exit "$started" "$wanted" "$patience"
  expect_no_panic
  said=$(cat "$story_dir/accounts.out")
  ! grep -qE 'q[0-9]' <<<"$said" || fail "a password is printed: $said"
  echo "$server: accounts $* ended with $wanted after $((SECONDS - began)) s"
}

# holds EXPRESSION…: each is true of what was printed as JSON, `done`.
holds() {
  local expression seen
  for expression in "$@"; do
    seen=$(python3 -c 'import json, sys; done = json.loads(sys.argv[1])["done"]; print(eval(sys.argv[2]))' "$said" "$expression")
    [[ $seen == True ]] || fail "$server: $expression is $seen of $said"
  done
}

# interrupt WORD: gives Ctrl-C once 40 % of the accounts have that word in the state.
interrupt() {
  local end=$((SECONDS + patience)) lines began=$SECONDS
  start_accounts create --contacts --state "$story_dir/state" --quiet
  until lines=$(grep -c "^$1 " "$story_dir/state" 2>/dev/null); ((lines >= accounts * 2 / 5)); do
    if ! ((SECONDS < end)) || ! alive "$started"; then
      fail "$server: only $lines $1; $(cat "$story_dir"/accounts.*)"
    fi
    sleep 0.02
  done
  kill -INT "$started"
  expect_exit "$started" 130 60
  echo "$server: interrupted at $(grep -c "^$1 " "$story_dir/state") of $accounts $1, after $((SECONDS - began)) s"
}

say_as() { # NUMBER PASSWORD STANZA
  timeout 60 python3 scripts/servers.d/client.py say --port "${target##*:}" --ca "$ca" --jid "acc$1@localhost" \
    --password "$2" --stanza "$3"
}

password_of_70() { # OLD NEW
  say_as 70 "$1" "<iq type='set' id='p'><query xmlns='jabber:iq:register'><username>acc70</username><password>$2</password></query></iq>"
}

story() {
  local server=$1 target=$2 ca=$3 edges=$((accounts * contacts))
  interrupt created
  interrupt asked
  expect 0 create --contacts --state "$story_dir/state" --json --out "$story_dir/accounts.csv"
  holds "done['created'] == $accounts and done['existed'] == 0" "done['contacts']['complete'] == $accounts"
  grep -v "^ \|^{\|^}" "$story_dir/accounts.err" | tail -n 4 || true
  [[ ! -e $story_dir/state && $(wc -l <"$story_dir/accounts.csv") == $((accounts + 1)) ]] || fail "$server: CSV or state"
  expect 0 check --json --quiet
  holds "done['let_in'] == $accounts and done['contacts']['mutual'] == $edges"

  # An account less, another password, a contact removed, and one that is seen and does not see.
  "$XB_BIN" accounts delete scripts/servers.d/accounts.toml --target "$target" --set "target.ca_file=$ca" --quiet \
    --set users.0.count=1 --set 'users.0.jid=acc3@{domain}' --set users.0.password=q3 --set phase.none.users=1 \
    --set activity.ping.every=10s >"$story_dir/delete.out"
  password_of_70 q70 another
  say_as 20 q20 "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='acc21@localhost' subscription='remove'/></query></iq>"
  say_as 30 q30 "<presence type='unsubscribe' to='acc31@localhost'/>"
  expect 3 check --json --quiet
  # Those who knew acc3 have it no more; acc21 has acc20 with nothing left of it; acc30 and acc31 each have one half.
  holds "done['no_account'] == {'count': 1, 'examples': ['acc3@localhost']}" \
    "done['wrong_password'] == {'count': 1, 'examples': ['acc70@localhost']}" \
    "done['contacts']['missing']['count'] + done['contacts']['one_sided']['count'] == $((contacts + 4))" \
    "any('acc20@localhost' in e for e in done['contacts']['missing']['examples'])"

  password_of_70 another q70
  expect 0 create --contacts --json --quiet --state "$story_dir/state"
  holds "done['created'] == 1 and done['existed'] == $((accounts - 1))"
  expect 0 check --json --quiet
  holds "done['contacts']['mutual'] == $edges"

  expect 0 delete --json --quiet
  holds "done['deleted'] == $accounts"
  # What fails alike is not tried to the end.
  expect 3 check --json --quiet
  holds "done['no_account']['count'] >= 100 and done['no_account']['count'] + done['not_tried'] == $accounts"
}

[[ -z ${XB_PROSODY:-} ]] || story prosody "$XB_PROSODY" "$XB_PROSODY_CA"
[[ -z ${XB_EJABBERD:-} ]] || story ejabberd "$XB_EJABBERD" "$XB_EJABBERD_CA"
