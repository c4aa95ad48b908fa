# shellcheck shell=bash
# What end-to-end stories are told with. Sourced by scripts/e2e/*.sh; `bash scripts/e2e/lib.sh self-test` tests it.
#
# A story is a script that ends with 0 when it held. It prints `SKIPPED: why` on a line and ends with 0 when it can't be
# told here, and `FAILED: …` with what was seen when it didn't hold. Everything it started or mounted is gone when it
# ends, however it ends.

set -euo pipefail

story_pids=()
story_mounts=()
story_dir=$(mktemp -d "${TMPDIR:-/tmp}/xmpp-bench-story.XXXXXX")

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

skip() {
  echo "SKIPPED: $*"
  exit 0
}

# start NAME COMMAND…: starts a program in the background. Its output goes to $story_dir/NAME.out and NAME.err, its pid
# to $started. It becomes the program itself, so signals to $started reach it.
start() {
  local name=$1
  shift
  # Emptied here and not by the program: what an earlier one of that name said is not taken for its words.
  : >"$story_dir/$name.out" 2>"$story_dir/$name.err"
  (exec "$@") </dev/null >"$story_dir/$name.out" 2>"$story_dir/$name.err" &
  started=$!
  story_pids+=("$started")
}

# wait_for_line FILE PATTERN SECONDS: waits until a line of $story_dir/FILE matches (extended regular expression).
wait_for_line() {
  local file=$story_dir/$1 pattern=$2 end=$((SECONDS + $3))
  until grep -Eq -- "$pattern" "$file" 2>/dev/null; do
    ((SECONDS < end)) || fail "no line matching '$pattern' in $1 within $3 s; it holds: $(tail -n 20 "$file" 2>&1)"
    sleep 0.05
  done
}

# exit_code_of PID SECONDS: waits until a program started here ends, at most so long; sets $code.
exit_code_of() {
  local pid=$1 end=$((SECONDS + $2))
  while alive "$pid"; do
    ((SECONDS < end)) || fail "pid $pid has not ended within $2 s"
    sleep 0.02
  done
  code=0
  wait "$pid" || code=$?
}

# expect_exit PID CODE SECONDS
expect_exit() {
  exit_code_of "$1" "$3"
  ((code == $2)) || fail "pid $1 ended with $code, not $2; $(tail -n 20 "$story_dir"/*.err 2>&1)"
}

# expect_run CODE SECONDS COMMAND…: runs it to its end, bounded; output in $story_dir/run.out and run.err.
expect_run() {
  local wanted=$1 seconds=$2
  shift 2
  start run "$@"
  expect_exit "$started" "$wanted" "$seconds"
}

# expect_no_panic: no program of this story has panicked.
expect_no_panic() {
  ! grep -l "panicked at" "$story_dir"/*.err || fail "a program panicked; see above"
}

# small_disk MEGABYTES: mounts a tmpfs of that size and sets $disk to it; a story is skipped where that can't be done.
small_disk() {
  disk=$story_dir/disk.${#story_mounts[@]}
  mkdir "$disk"
  mount -t tmpfs -o "size=${1}m,mode=700" xmpp-bench-story "$disk" 2>"$story_dir/mount.err" ||
    skip "no tmpfs can be mounted here: $(cat "$story_dir/mount.err")"
  story_mounts+=("$disk")
}

# fill DIRECTORY [LEAVE_KILOBYTES]: fills its disk, but for what is left.
fill() {
  local free leave=${2:-0}
  free=$(df --output=avail -k "$1" | tail -n 1)
  ((free <= leave)) || head -c "$(((free - leave) * 1024))" /dev/zero >"$1/filler" || true
}

# A zombie has ended; it only waits to be asked.
alive() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  [[ ${stat%% *} != Z ]]
}

story_end() {
  local code=$? pid mounted
  trap - EXIT
  for pid in "${story_pids[@]}"; do
    ! alive "$pid" || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  for mounted in "${story_mounts[@]}"; do
    umount "$mounted" 2>/dev/null || umount -l "$mounted" || true
  done
  # What was seen is kept when the story failed.
  if ((code == 0)); then rm -rf "$story_dir"; else echo "kept: $story_dir" >&2; fi
  exit "$code"
}
trap story_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

self_test() {
  start greeter bash -c 'echo hello; sleep 0.2; exit 7'
  wait_for_line greeter.out '^hello$' 5
  expect_exit "$started" 7 5
  expect_run 0 5 true
  expect_run 3 5 bash -c 'exit 3'

  # A program is ended by the signal it is sent.
  start sleeper sleep 100
  kill -TERM "$started"
  expect_exit "$started" 143 5

  # Each expectation can fail.
  (trap - EXIT; wait_for_line greeter.out '^bye$' 1) 2>/dev/null && fail "a line that never came was found"
  (trap - EXIT; expect_run 0 5 false) 2>/dev/null && fail "a wrong exit code was let pass"
  echo "thread 'main' panicked at src/x.rs" >"$story_dir/greeter.err"
  (trap - EXIT; expect_no_panic) >/dev/null 2>&1 && fail "a panic was let pass"

  # What a story leaves running or mounted is gone after it.
  local out left
  out=$(bash -c 'source "$1"; start left sleep 100; echo "$started"; false' _ "${BASH_SOURCE[0]}" 2>"$story_dir/kept.err") || true
  left=$(head -n 1 <<<"$out")
  ! alive "$left" || fail "a program outlived its story"
  rm -rf "$(sed -n 's/^kept: //p' "$story_dir/kept.err")"

  small_disk 1
  fill "$disk" 8
  ! (head -c 65536 /dev/zero >"$disk/more") 2>/dev/null || fail "a full disk took 64 KiB"
  echo "held: scripts/e2e/lib.sh"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  [[ ${1:-} == self-test ]] || { echo "usage: bash scripts/e2e/lib.sh self-test; or source it" >&2; exit 2; }
  self_test
fi
