# shellcheck shell=bash
# Installing Debian packages without letting them start daemons. Sourced by `servers` and `test`; both define `say`
# (a line for the person, on stderr) and `die`.

policy=/usr/sbin/policy-rc.d
policy_saved=$policy.saved-by-xmpp-bench

# The packages of "$@" that are not installed, one per line.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Installs what is missing of "$@", after saying so. Elsewhere than on Debian as root it says what to do, and ends.
ensure_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die "this is not Debian or Ubuntu, so nothing is installed for you; needed, by Debian's names: $*"
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "missing packages; run as root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing with apt-get (no daemon is started): ${missing[*]}"
  install_without_daemons "${missing[@]}"
}

# In a subshell, so that its trap restores the policy whatever happens; one at a time, so that no one saves another's.
install_without_daemons() (
  mkdir -p /run/lock
  exec 9>/run/lock/xmpp-bench-install.lock
  flock -w 600 9 || die "another installation has held /run/lock/xmpp-bench-install.lock for 10 minutes"
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # A saved policy of an installation that was killed is the real one.
  [[ -e $policy_saved || ! -e $policy ]] || mv "$policy" "$policy_saved"
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  { apt_get update || apt_get update; } >"$log" 2>&1 || say "apt-get update failed; going on with the lists there are"
  if ! apt_get install -y --no-install-recommends "$@" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get install $* failed; the whole log is $log"
  fi
  rm -f "$log"
)

apt_get() {
  timeout 600 apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null 9>&-
}

restore_policy() {
  rm -f "$policy"
  [[ ! -e $policy_saved ]] || mv "$policy_saved" "$policy"
}
