# lib.sh: what the parts of ./run share: words, packages, Zig, the build. Sourced by ./run with `root` set.
state="$root/.carillon"
bin="$root/zig-out/bin"
zig_version=0.16.0

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "packages are missing and this is neither root nor is there sudo; as root: apt-get install ${missing[*]}"
    fi
}

# packages build|test: installs what the table lists and the machine lacks. A stamp with the table's checksum makes the
# next time free.
packages() {
    local group=$1 table="$root/deploy/packages" stamp when package why
    stamp="$state/packages-$group-$(cksum <"$table" | tr ' ' -)"
    [ -e "$stamp" ] && return
    missing=()
    while read -r when package why; do
        [ "$when" = "$group" ] || continue
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
        [ ${#missing[@]} = 0 ] && say "installing Debian packages that are missing:"
        printf '   %-22s %s\n' "$package" "$why" >&2
        missing+=("$package")
    done <"$table"
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || fail "this needs Debian's packages (apt-get), or their likes: ${missing[*]}"
        apt_install "${missing[@]}"
    fi
    mkdir -p "$state"
    rm -f "$state/packages-$group-"*
    touch "$stamp"
}

apt_install() {
    local log="$state/apt.log"
    mkdir -p "$state"
    if ! DEBIAN_FRONTEND=noninteractive as_root apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
        say "fetching the lists of packages"
        as_root apt-get update >"$log" 2>&1 || { tail -5 "$log" >&2; fail "apt-get update failed (whole text: $log)"; }
        DEBIAN_FRONTEND=noninteractive as_root apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 ||
            { tail -15 "$log" >&2; fail "apt-get could not install them (whole text: $log)"; }
    fi
}

# Sets `zig` to a Zig of the pinned version: the one on PATH, an installed Python package, or a wheel of our own.
find_zig() {
    local candidate
    for candidate in zig "$state/zig/ziglang/zig"; do
        if command -v "$candidate" >/dev/null && [ "$("$candidate" version 2>/dev/null)" = $zig_version ]; then
            zig=$candidate
            return
        fi
    done
    candidate=$(python3 -c 'import ziglang, os; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))' 2>/dev/null)
    if [ -n "$candidate" ] && [ "$("$candidate" version 2>/dev/null)" = $zig_version ]; then
        zig=$candidate
        return
    fi
    say "getting Zig $zig_version (the Python package ziglang, into .carillon/zig)"
    python3 -m pip --version >/dev/null 2>&1 || { printf '   %-22s %s\n' python3-pip "fetches it" >&2; apt_install python3-pip; }
    mkdir -p "$state"
    python3 -m pip install --quiet --disable-pip-version-check --target "$state/zig" --upgrade "ziglang==$zig_version" >"$state/zig.log" 2>&1 ||
        { tail -5 "$state/zig.log" >&2; fail "Zig $zig_version could not be fetched; put a zig of that version on PATH instead"; }
    zig="$state/zig/ziglang/zig"
    [ "$("$zig" version)" = $zig_version ] || fail "the package ziglang does not hold Zig $zig_version"
}

# build: only if a source is newer than the last build.
build() {
    packages build
    local stamp="$state/built" sources=("$root/src" "$root/build.zig")
    [ -d "$root/bench/carrier" ] && sources+=("$root/bench/carrier")
    if [ -e "$stamp" ] && [ -x "$bin/carillon" ] && [ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]; then return; fi
    find_zig
    say "building"
    mkdir -p "$state"
    touch "$stamp.new"
    (cd "$root" && "$zig" build "$@") || fail "the build failed; what is wrong stands above"
    mv "$stamp.new" "$stamp"
}
