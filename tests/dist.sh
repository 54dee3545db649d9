#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A tarball holds the same files whatever configure was told: it is unpacked,
# configured with everything switched off that can be, and makes a tarball
# itself; no file is missing from that.
set -eu

build=${abs_top_builddir:-$PWD}
tmp=$(mktemp -d)
# what is distributed may be read-only
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
: "${MAKE:=make}" "${CC:=cc}" "${CXX:=c++}"

fail() {
	echo "dist.sh: $*" >&2
	exit 1
}

# files DIRECTORY LIST: what stands below that directory
files() {
	(cd "$1" && find . -type f | LC_ALL=C sort) > "$2"
}

run() {
	"$@" > "$tmp/log" 2>&1 || {
		cat "$tmp/log"
		fail "$* failed"
	}
}

# an argument of make check is for this tree's targets, not for the copies
MAKEFLAGS=
export MAKEFLAGS
run "$MAKE" -C "$build" distdir distdir="$tmp/full"
files "$tmp/full" "$tmp/want"
[ -s "$tmp/want" ] || fail "the tarball is empty"

# of the compiler and the system each configure would find what this tree's has
sed -n '/^## Cache variables/,/^## Output variables/p' "$build/config.log" |
	grep '^[a-z]*_cv_[a-zA-Z0-9_]*=' | grep -v '^ac_cv_env_' >"$tmp/cache"

without='--disable-tests --disable-evdemo --without-udevdir --without-bashcompletiondir'
mkdir "$tmp/build"
# the options are words: unquoted
# shellcheck disable=SC2086
(cd "$tmp/build" &&
	run ../full/configure -q --cache-file=../cache CC="$CC" CXX="$CXX" \
		--disable-dependency-tracking $without)
run "$MAKE" -C "$tmp/build" distdir distdir="$tmp/build/again"
files "$tmp/build/again" "$tmp/got"
diff "$tmp/want" "$tmp/got" ||
	fail "configured with $without a tarball has other files"

# Whatever may be left out, alone: what configure would put into the Makefile then
# is known, and a list tells as much as a tarball.
all=$(sed -n 's/^AM_CONDITIONAL(\[\([A-Z_]*\)\].*/\1/p' "$tmp/full/configure.ac")
[ "$all" ] || fail "configure.ac leaves nothing out?"
mv "$tmp/build/config.status" "$tmp/status"
printf 'include Makefile\nlist:\n\t@for f in $(DISTFILES); do echo $$f; done\n' \
	>"$tmp/build/list.mk"

# listed_without NAME LIST: what a tarball has; none: with everything
listed_without() {
	for name in $all; do
		t='' f='#'
		[ $name != "$1" ] || t='#' f=''
		echo "s/^S\[\"${name}_TRUE\"\]=.*/S[\"${name}_TRUE\"]=\"$t\"/"
		echo "s/^S\[\"${name}_FALSE\"\]=.*/S[\"${name}_FALSE\"]=\"$f\"/"
	done >"$tmp/script"
	sed -f "$tmp/script" "$tmp/status" >"$tmp/build/config.status"
	(cd "$tmp/build" && run sh ./config.status -q Makefile &&
		"$MAKE" -s -f list.mk list) | LC_ALL=C sort -u >"$2"
	[ -s "$2" ] || fail "without $1 there is no list"
}

listed_without none "$tmp/every"
for off in $all; do
	listed_without $off "$tmp/got"
	diff "$tmp/every" "$tmp/got" ||
		fail "configured without $off a tarball has other files"
done
