# shellcheck shell=bash
# ejabberd, as `servers` wants it: the variables and functions every server defines. Sourced.
#
# It runs without Erlang distribution, so there is no node name to clash, no cookie and no epmd left behind; what has
# to be asked of it is asked over HTTP, of our own modules.

packages=(ejabberd)
port_default=15222
command_name=erl
counter_path=/count_copies
log_name=ejabberd.log

server_version() {
  dpkg-query -W -f 'ejabberd ${Version}\n' ejabberd 2>/dev/null || echo "ejabberd (version unknown)"
}

# Writes the configuration and compiles our modules; $run, $port and its neighbours are set.
configure() {
  local headers=() directory
  for directory in /usr/lib/erlang/lib/{p1_xmpp,xmpp}-*/include "${ERL_LIBS%%:*}"/ejabberd-*/include; do
    [[ ! -d $directory ]] || headers+=(-I "$directory")
  done
  render "$kept/ejabberd/ejabberd.yml" "$run/ejabberd.yml"
  mkdir -p "$run/beams" "$run/mnesia" "$run/upload"
  erlc "${headers[@]}" -o "$run/beams" "$kept/ejabberd/"mod_*.erl ||
    die "the modules in $kept/ejabberd do not compile against the ejabberd installed here"
}

# Becomes the server; runs in the background, in a session of its own. Schedulers do not spin, so that CPU time is work.
launch() {
  export EJABBERD_CONFIG_PATH=$run/ejabberd.yml EJABBERD_LOG_PATH=$run/ejabberd.log ERL_CRASH_DUMP=$run/erl_crash.dump
  exec setsid erl +K true +P 1000000 +Q 262144 +sbwt none +sbwtdcpu none +sbwtdio none -noinput \
    -pa "$run/beams" -mnesia dir "\"$run/mnesia\"" -s ejabberd
}

# Where Debian keeps ejabberd's code.
for directory in /usr/lib/*-linux-gnu /usr/lib; do
  if compgen -G "$directory/ejabberd-*/ebin" >/dev/null; then
    export ERL_LIBS=$directory
    break
  fi
done

accounts_before_start() { :; }
accounts_after_start() { add_accounts "$@"; }
add_accounts() {
  python3 "$kept/accounts.py" ejabberd --directory "$run" --host "$1" --first 0 --count "$2"
  ask POST "$counter_path/accounts" >/dev/null
}
