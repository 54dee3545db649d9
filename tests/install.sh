#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What `make install` lays down is enough for somebody else's program: the
# README's example is built with pkg-config alone and runs, the daemon runs,
# the manual is there; `make uninstall` takes it all away.
set -eu

build=${abs_top_builddir:-$PWD}
src=${abs_top_srcdir:-$PWD}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
: "${MAKE:=make}" "${CC:=cc}" "${PKG_CONFIG:=pkg-config}"

fail() {
	echo "install.sh: $*" >&2
	exit 1
}

"$MAKE" -C "$build" install DESTDIR="$root" > "$root/install.log" 2>&1 || {
	cat "$root/install.log"
	fail "make install failed"
}
pc=$(find "$root" -name ublkev.pc)
[ -n "$pc" ] || fail "no ublkev.pc was installed"
lib=$(dirname "$(dirname "$pc")")

PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_ALLOW_SYSTEM_CFLAGS \
	PKG_CONFIG_ALLOW_SYSTEM_LIBS
[ "$($PKG_CONFIG --modversion ublkev)" = "$VERSION" ] ||
	fail "pkg-config says another version than $VERSION"
# flags are words: unquoted
# shellcheck disable=SC2046,SC2086
$CC ${SAN_CFLAGS:-} ${COV_CFLAGS:-} -o "$root/minimal" \
	"$src/examples/minimal.c" $($PKG_CONFIG --cflags --libs ublkev) -lev ||
	fail "the example does not build against the installed library"

LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH
if [ ! -e /dev/ublk-control ]; then
	# where it fails it leaves its memory to the exit
	ASAN_OPTIONS=detect_leaks=0 "$root/minimal" > "$root/out" && fail "a disk without a driver?"
	grep -q '^CONTROL: ' "$root/out" ||
		fail "the example said: $(cat "$root/out")"
fi
daemon=$(find "$root" -name ublk-evdemo -type f)
if [ -n "$daemon" ]; then
	"$daemon" --version | grep -qF "$VERSION" ||
		fail "ublk-evdemo --version does not say $VERSION"
	[ -n "$(find "$root" -name ublk-evdemo.1)" ] || fail "no ublk-evdemo(1)"
	tool=$(find "$root" -name ublk-evctl -type f -perm -u+x)
	"$tool" --version | grep -qF "$VERSION" ||
		fail "ublk-evctl --version does not say $VERSION"
	[ -n "$(find "$root" -name ublk-evctl.1)" ] || fail "no ublk-evctl(1)"
	[ -n "$(find "$root" -path '*/completions/ublk-evctl')" ] ||
		fail "no completion"
	rule=$(find "$root" -path '*/udev/rules.d/60-ublk-ev.rules')
	grep -qF "PROGRAM=\"${tool#"$root"} owner" "$rule" ||
		fail "udev's rule does not run ${tool#"$root"}"
fi

# the manual: where it says that examples are, they are, and can be built as it
# says; a page is found by the name of each function
page=$(find "$root" -name ublkev.3)
[ -n "$page" ] || fail "no ublkev(3)"
man3=$(dirname "$page")
for symbol in $(sed -n 's/^\t\(ublkev_[a-z_0-9]*\);/\1/p' \
	"$src/src/libublkev.map"); do
	[ -f "$man3/$symbol.3" ] || fail "no page for $symbol"
	target=$(sed -n 's/^\.so //p' "$man3/$symbol.3")
	[ -z "$target" ] || [ -f "$(dirname "$man3")/$target" ] ||
		fail "$symbol.3 leads nowhere"
done
examples=$(sed -n 's|^\.It Pa \(/.*/examples\)$|\1|p' "$page")
[ -n "$examples" ] || fail "ublkev(3) does not say where the examples are"
for c in "$root$examples"/*.c; do
	# shellcheck disable=SC2046,SC2086
	$CC ${SAN_CFLAGS:-} ${COV_CFLAGS:-} -o "$root/example" "$c" \
		$($PKG_CONFIG --cflags --libs ublkev) -lev ||
		fail "the installed example $c does not build"
done
for f in $(cd "$src/examples" && echo *.c); do
	[ -f "$root$examples/$f" ] || fail "no example $f was installed"
done
for f in README.md NEWS; do
	[ -f "$root${examples%/*}/$f" ] || fail "no $f was installed"
done

"$MAKE" -C "$build" uninstall DESTDIR="$root" > /dev/null 2>&1
left=$(find "$root" \( -name '*ublk*' -o -path '*/doc/*' \) -type f)
[ -z "$left" ] || fail "make uninstall leaves: $left"
