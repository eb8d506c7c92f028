#!/usr/bin/env bash
# test.sh: all tests; the last line is `N passed, N failed, N skipped`.
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
. "$root/deploy/run/lib.sh"

help() {
    cat <<'END'
usage: ./run test [OPTION…] [ROOM…]

Builds, then runs the C unit tests, the same under ASan and UBSan, and the Python tests of the whole. With ROOMs (core, bus,
media, supervisor, …) only theirs. Its last line is `N passed, N failed, N skipped`; exit code 0 if none failed.

  --long     also what takes longer than the 30 minutes that all the rest needs at most (CARILLON_TEST=long)
  --soak     also what takes hours (CARILLON_TEST=soak)
  --no-asan  without the sanitizer run
  --unit     the C tests only
  --python   the Python tests only
END
}

level=short asan=1 unit=1 python=1 rooms=()
while [ $# -gt 0 ]; do
    case $1 in
        --long) level=long ;;
        --soak) level=soak ;;
        --no-asan) asan= ;;
        --unit) python= ;;
        --python) unit= asan= ;;
        -h | --help) help; exit 0 ;;
        -*) help >&2; fail "unknown option $1" ;;
        *) [ -d "$root/tests/$1" ] || fail "there are no tests for $1"; rooms+=("$1") ;;
    esac
    shift
done
case $level in short) limit=2400 each=180 ;; long) limit=7200 each=1800 ;; soak) limit=172800 each=86400 ;; esac
export CARILLON_TEST=$level
cd "$root" || exit 1
passed=0 failed=0 skipped=0
logs="$state/test"
rm -rf "$logs"
mkdir -p "$logs"

wanted() { # ROOM
    [ ${#rooms[@]} = 0 ] && return 0
    local room
    for room in "${rooms[@]}"; do [ "$room" = "$1" ] && return 0; done
    return 1
}

count() { # FILE: cmocka's own sums; nothing of the kind = the program died
    local p f s
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\..*/\1/p' "$1" | paste -sd+ | bc)
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s), listed below:.*/\1/p' "$1" | paste -sd+ | bc)
    s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s), listed below:.*/\1/p' "$1" | paste -sd+ | bc)
    echo "${p:-0} ${f:-0} ${s:-0}"
}
command -v bc >/dev/null || bc() { local line; while read -r line; do echo $((line)); done; }

# One program; its result goes to FILE.result, for several run at a time.
one_program() { # PROGRAM LOG
    local code numbers
    timeout -k 5 $each "$1" >"$2" 2>&1
    code=$?
    numbers=$(count "$2")
    set -- "$2" $numbers "$code"
    if [ "$5" != 0 ] && [ "$3" = 0 ]; then set -- "$1" "$2" 1 "$4" "$5"; fi
    echo "$2 $3 $4 $5" >"$1.result"
}

# Those that live by the clock of real audio and real SIP have the machine to themselves.
alone() { case $1 in worker-* | broker-flow* | bus-torture*) true ;; *) false ;; esac }

programs() { # FOLDER TITLE
    local program name log p f s code running=0
    say "$2"
    for program in "$1"/*; do
        name=$(basename "$program")
        [ -x "$program" ] && wanted "${name%%-*}" && ! alone "$name" || continue
        one_program "$program" "$logs/$(basename "$1")-$name.log" &
        running=$((running + 1))
        [ $running -ge 2 ] && { wait -n; running=$((running - 1)); }
    done
    wait
    for program in "$1"/*; do
        name=$(basename "$program")
        [ -x "$program" ] && wanted "${name%%-*}" && alone "$name" || continue
        one_program "$program" "$logs/$(basename "$1")-$name.log"
    done
    for log in "$logs/$(basename "$1")"-*.log; do
        [ -e "$log.result" ] || continue
        read -r p f s code <"$log.result"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        [ "$f" = 0 ] && continue
        printf '\n--- %s (exit code %s%s)\n' "$(basename "$log" .log)" "$code" "$([ "$code" = 124 ] && echo ": more than $each s")"
        grep -E 'FAILED|ERROR|error:|runtime error|SUMMARY|Failure|\[   LINE' "$log" | head -40
        grep -q -E 'FAILED|ERROR|error:' "$log" || tail -20 "$log"
    done
}

# The build's steps for the rooms that are asked for; a folder of tests that is no room has only Python tests.
steps() { # PREFIX
    if [ ${#rooms[@]} = 0 ]; then echo "$1"; return; fi
    local room
    for room in "${rooms[@]}"; do [ -d "src/$room" ] && echo "$1-$room"; done
}

unit_tests() { # STEP FOLDER TITLE
    local wanted_steps
    wanted_steps=$(steps "$1")
    rm -rf "zig-out/$2"
    [ -n "$wanted_steps" ] || return
    # shellcheck disable=SC2086
    if "$zig" build $wanted_steps --summary none; then programs "zig-out/$2" "$3"; else failed=$((failed + 1)); fi
}

# Each fuzzer over its kept corpus once; --long and --soak go on from there for a minute, an hour.
fuzzers() {
    local program name corpus seconds=0
    case $level in long) seconds=60 ;; soak) seconds=3600 ;; esac
    say "fuzzers"
    if ! "$zig" build fuzz --summary none; then failed=$((failed + 1)); return; fi
    mkdir -p "$logs/found"
    for program in zig-out/fuzz/*_fuzz; do
        name=$(basename "$program")
        [ -x "$program" ] && wanted "${name%%_*}" || continue
        corpus="tests/fuzz/${name%_fuzz}_corpus"
        [ -d "$corpus" ] || corpus=
        if [ $seconds = 0 ]; then set -- -runs=0; else set -- -max_total_time=$seconds; fi
        mkdir -p "$logs/corpus-$name"
        if timeout $((seconds + 60)) "$program" "$@" -artifact_prefix="$logs/found/$name-" "$logs/corpus-$name" $corpus >"$logs/$name.log" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            printf '\n--- %s\n' "$name"
            grep -E 'ERROR|SUMMARY|runtime error|Test unit' "$logs/$name.log" | head -8
        fi
    done
}

packages build
packages test
[ -n "$python" ] && build
find_zig
started=$(date +%s)
[ -n "$unit" ] && unit_tests tests test "C unit tests"
if [ -n "$asan" ]; then
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    unit_tests tests-asan test-asan "C unit tests under ASan and UBSan"
    fuzzers
fi
if [ -n "$python" ]; then
    say "Python tests"
    paths=()
    if [ ${#rooms[@]} = 0 ]; then paths=(tests); else for room in "${rooms[@]}"; do paths+=("tests/$room"); done; fi
    timeout -k 10 $limit python3 -m pytest -q -p no:cacheprovider --import-mode=importlib --tb=short -rfEs "${paths[@]}" 2>&1 | tee "$logs/pytest.log"
    code=${PIPESTATUS[0]}
    # "3 failed, 10 passed, 2 skipped, 1 error in 12.3s"
    summary=$(grep -E '^[0-9].* in [0-9.]+s|^=+ .* in [0-9.]+s' "$logs/pytest.log" | tail -1)
    number() { echo "$summary" | grep -oE "[0-9]+ $1" | grep -oE '^[0-9]+' || echo 0; }
    p=$(number passed) f=$(number failed) e=$(number 'errors?') s=$(number skipped)
    passed=$((passed + p)) failed=$((failed + f + e)) skipped=$((skipped + s))
    if [ "$code" = 124 ] || [ "$code" = 137 ]; then
        echo "the Python tests took more than $limit s"
        failed=$((failed + 1))
    elif [ "$code" != 0 ] && [ "$code" != 5 ] && [ $((f + e)) = 0 ]; then
        failed=$((failed + 1))
    fi
fi
printf '\nafter %d s:\n' $(($(date +%s) - started))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
