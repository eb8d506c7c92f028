#!/usr/bin/env bash
# demo.sh: a simulated carrier, the engine, a campaign of 1,000 leads, its report.
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
. "$root/deploy/run/lib.sh"

help() {
    cat <<'END'
usage: ./run demo [OPTION…]

Starts a simulated carrier (bench/carrier) and the engine, dials the campaign conf/campaigns/demo.lua over real SIP and RTP on
this machine's loopback, runs conf/scripts/demo.lua on each answered call, and shows the report. Exit code 0 if all went well.

  --leads N         how many leads (1000)
  --cps N           calls per second (50)
  --database URL    postgresql://user:password@host/database instead of SQLite in .carillon/data
  --seed N          what the carrier's dice show (1)
  -v, --verbose     shows the engine's log, too
END
}

leads=1000 cps=50 database=sqlite seed=1 verbose=
while [ $# -gt 0 ]; do
    case $1 in
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
        --leads | --cps | --database | --seed) [ $# -gt 1 ] || fail "$1 needs a value"; printf -v "${1#--}" %s "$2"; shift ;;
        -v | --verbose) verbose=1 ;;
        -h | --help) help; exit 0 ;;
        *) help >&2; fail "unknown option $1" ;;
    esac
    shift
done
case $leads$cps$seed in *[!0-9]* | '') fail "--leads, --cps and --seed are whole numbers" ;; esac
[ "$leads" -ge 1 ] && [ "$leads" -le 1000000 ] || fail "--leads: 1 to 1000000"
case $database in sqlite | postgresql://* | postgres://*) ;; *) fail "--database: postgresql://user:password@host/database" ;; esac

build
cd "$root" || exit 1
folder="$state/demo"
rm -rf "$folder"
mkdir -p "$folder"
carrier_pid='' engine_pid=''

finish() {
    trap - EXIT INT TERM
    if [ -n "$engine_pid" ] && kill -0 "$engine_pid" 2>/dev/null; then
        "$bin/carillon" stop --now >/dev/null 2>&1 || kill "$engine_pid" 2>/dev/null
        wait "$engine_pid" 2>/dev/null
    fi
    if [ -n "$carrier_pid" ] && kill -0 "$carrier_pid" 2>/dev/null; then
        kill "$carrier_pid" 2>/dev/null
        wait "$carrier_pid" 2>/dev/null
    fi
    [ -n "${run_dir:-}" ] && rm -rf "$run_dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The people who are called. The last digits of a number say nothing; the carrier draws.
cat >"$folder/plan.txt" <<'END'
weight=34  answer after=1..4s talk=4..9s digits=1@2..3s
weight=10  answer after=1..4s talk=4..9s digits=2@2..3s
weight=8   answer after=1..4s talk=2..6s
weight=12  answer after=2..5s sound=voicemail talk=10..14s
weight=14  busy after=300..800ms
weight=12  noanswer
weight=4   reject 404
weight=3   reject 480
weight=2   reject 503
weight=1   late200
END

# Numbers that no earlier run had, so that a demo on a kept database always has something to dial.
"$bin/carillon" campaign demo-leads "$leads" |
    awk -F, -v OFS=, -v first=$(($(date +%s) % 8000000)) 'NR > 1 { $1 = sprintf("%.0f", 15552000000 + (first + NR) % 8000000) } { print }' >"$folder/leads.csv" ||
    fail "the leads could not be made"

say "starting the simulated carrier"
"$bin/carillon-carrier" --listen 127.0.0.1:0 --plan "$folder/plan.txt" --seed "$seed" --book "$folder/book.jsonl" >"$folder/carrier.out" 2>"$folder/carrier.log" &
carrier_pid=$!
where=
for _ in $(seq 100); do
    where=$(sed -n 's/^ready //p' "$folder/carrier.out")
    [ -n "$where" ] && break
    kill -0 "$carrier_pid" 2>/dev/null || break
    sleep 0.05
done
[ -n "$where" ] || { cat "$folder/carrier.log" >&2; fail "the carrier did not start"; }
say "it listens at $where"

run_dir=$(mktemp -d "${TMPDIR:-/tmp}/carillon-demo.XXXXXX") || exit 1
export CARILLON_NAME="demo-$$" CARILLON_RUN="$run_dir" CARILLON_DATABASE="$database" CARILLON_CARRIER="$where" CARILLON_SIP_PORT=$((5161 + RANDOM % 800)) CARILLON_CPS="$cps"
export CARILLON_EVENT_PORT=0 # 8021 may be another engine's
export CARILLON_CONFIG="$root/conf/carillon.lua" CARILLON_LOG="$folder/engine.log"
if [ "$database" = sqlite ]; then rm -f "$state/data/ledger.db" "$state/data/ledger.db-wal" "$state/data/ledger.db-shm"; fi

say "importing $leads leads"
"$bin/carillon" campaign import demo "$folder/leads.csv" || fail "the import failed"

say "starting the engine (its log: .carillon/demo/engine.log)"
: >"$folder/engine.log"
"$bin/carillon" start 2>"$folder/engine.err" &
engine_pid=$!
"$bin/carillon" status --wait 15 >/dev/null || { tail -20 "$folder/engine.err" "$folder/engine.log" >&2; fail "the engine did not start"; }
if [ -n "$verbose" ]; then tail -n +1 -f --pid=$engine_pid "$folder/engine.log" >&2 & fi

say "dialling"
"$bin/carillon" campaign run demo --no-import
code=$?
"$bin/carillon" stop >/dev/null || code=1
wait "$engine_pid" || code=1
engine_pid=
[ $code = 0 ] || { grep -E ' (ERR|CRIT|ALERT) ' "$folder/engine.log" | tail -20 >&2; fail "the demo failed; the engine's log is .carillon/demo/engine.log"; }
with=
[ "$database" = sqlite ] || with="CARILLON_DATABASE='$database' "
say "the report again: ${with}zig-out/bin/carillon campaign report demo"
[ "$database" = sqlite ] && say "your own questions: sqlite3 .carillon/data/ledger.db (README has some)"
exit 0
