#!/usr/bin/env bash
# ejabberd, stopped for two seconds within twenty (SIGSTOP): with constant arrivals the response percentiles are known
# beforehand, and the generator has no part in them. (The embedded server frozen, the generator stopped: tests/run_all.)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

[[ -n ${XB_BIN:-} ]] || skip "XB_BIN names no command (scripts/test builds it)"
[[ -n ${XB_EJABBERD:-} && -n ${XB_EJABBERD_PID:-} ]] || skip "ejabberd does not run (scripts/test starts it)"
export NO_COLOR=1 XDG_CACHE_HOME=$story_dir/cache

result=$story_dir/result.json
start run "$XB_BIN" run scripts/e2e/small.toml --quiet --out "$result" --target "$XB_EJABBERD" \
  --set "target.ca_file=$XB_EJABBERD_CA" --set users.0.count=100 --set phase.ramp.users=100 --set phase.ramp.duration=3s \
  --set phase.steady.duration=20s --set deadline=10s --set drain=10s \
  --set activity.message.rate=1000/s --set activity.message.arrivals=constant
run=$started

# However this ends, ejabberd goes on.
trap 'kill -CONT "$XB_EJABBERD_PID" 2>/dev/null || true; story_end' EXIT
journal_end=$((SECONDS + 60))
until (($(wc -l 2>/dev/null <"$result.journal" || echo 0) > 10)); do
  ((SECONDS < journal_end)) || fail "the run's journal did not get to second 10"
  sleep 0.05
done
stopped=$(python3 - "$XB_EJABBERD_PID" <<'PYTHON'
import os, signal, sys, time
pid = int(sys.argv[1])
os.kill(pid, signal.SIGSTOP)
began = time.monotonic()
time.sleep(2)
os.kill(pid, signal.SIGCONT)
print(time.monotonic() - began)
PYTHON
)
exit_code_of "$run" 90
expect_no_panic

# A message intended inside the stop waits for its end. Of n evenly spaced ones in D seconds, those above the quantile q are
# the (1 − q)·D seconds that waited longest, so the quantile is stop − (1 − q)·D, wherever in the phase the stop lies.
python3 - "$result" "$stopped" <<'PYTHON' || fail "the stop does not show as predicted"
import json, sys
result, stop = json.load(open(sys.argv[1])), float(sys.argv[2])
delivery = result["operations"]["message.delivery"]
response, service, lag = (delivery[name + "_us"] for name in ("response", "service", "lag"))
late = lag["max"] / 1e6
wrong = []

def check(what, seen, predicted):
    most = predicted * 1.1 + late + 0.3
    print(f"{what}: {seen:.3f} s, predicted {predicted:.3f} s, at most {most:.3f} s")
    if not predicted * 0.98 - 0.01 <= seen <= most:
        wrong.append(what)

check("response p99", response["p99"] / 1e6, stop - 0.01 * 20)
check("response p99.9", response["p99_9"] / 1e6, stop - 0.001 * 20)
check("response max", response["max"] / 1e6, stop)
check("service p99", service["p99"] / 1e6 + late, stop - 0.01 * 20)
print(f"lag p99 {lag['p99'] / 1e6:.4f} s; verdict {result['verdict']['state']}; {result['ledger']['message']}")
if lag["p99"] / 1e6 > stop * 0.1:
    wrong.append("lag")
if result["verdict"]["state"] == "generator-limited":
    wrong.append(f"verdict: {result['verdict']['evidence']}")
account = result["ledger"]["message"]
if account["lost"] or account["failed"] or account["indeterminate"] or account["delivered"] != account["expected"]:
    wrong.append(f"account: {account}")
steady = next(phase for phase in result["phases"] if phase["name"] == "steady")
if steady["ledger"]["message"]["unsent"]:
    wrong.append("unsent")
sys.exit(f"wrong: {wrong}" if wrong else 0)
PYTHON
