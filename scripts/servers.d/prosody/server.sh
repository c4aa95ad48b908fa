# shellcheck shell=bash
# Prosody, as `servers` wants it: the variables and functions every server defines. Sourced.

packages=(prosody)
port_default=16222
command_name=prosody
counter_path=/count_copies
log_name=server.log

server_version() { prosodyctl about 2>/dev/null | sed -n 's/^Prosody \([0-9][^ ]*\).*/Prosody \1/p' | head -n 1; }

# Writes the configuration; $run, $port and its neighbours are set.
configure() {
  render "$kept/prosody/prosody.cfg.lua" "$run/prosody.cfg.lua"
}

# Becomes the server; runs in the background, in a session of its own.
launch() {
  exec setsid prosody -F --root --config "$run/prosody.cfg.lua"
}

# Prosody reads an account's file at each login: neither the server's help nor a restart is needed.
accounts_before_start() { add_accounts "$@"; }
accounts_after_start() { :; }
add_accounts() {
  python3 "$kept/accounts.py" prosody --directory "$run/data" --host "$1" --first 0 --count "$2"
}
