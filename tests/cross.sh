#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The sources compile elsewhere: for a 32-bit processor (i386), for arm64, with
# musl, and without a warning at -O3. `make check-cross`, and so CI, runs it.
#
# Of libev, liburing and jansson only the headers are taken, and only theirs:
# they stand in a directory of their own, so that a header of this machine's
# C library is never seen. Nothing is linked nor run.
#
# What has no compiler here is skipped with a line that names its package;
# with UBLKEV_REQUIRE_CROSS=1 it fails.
set -eu

src=${abs_top_srcdir:-$PWD}
build=${abs_top_builddir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: "${CC:=cc}" "${PKG_CONFIG:=pkg-config}"
bad=0
done=0

fail() {
	echo "cross.sh: $*" >&2
	exit 1
}

# header_of NAME: where this machine's compiler finds it
header_of() {
	# compiler and flags are words: unquoted
	# shellcheck disable=SC2046
	printf '#include <%s>\n' "$1" |
		$CC $($PKG_CONFIG --cflags liburing jansson 2>/dev/null) \
			-E -x c - 2>/dev/null |
		sed -n "s|^# [0-9]* \"\\(.*/$1\\)\".*|\\1|p" | head -n 1
}

for h in ev.h liburing.h jansson.h jansson_config.h; do
	path=$(header_of $h)
	[ -n "$path" ] || fail "$h is missing: run ./bootstrap"
	mkdir -p "$tmp/libs"
	ln -s "$path" "$tmp/libs/$h"
done
ln -s "$(dirname "$(readlink "$tmp/libs/liburing.h")")/liburing" "$tmp/libs/"

# The kernel's headers belong to no C library, and musl brings none.
mkdir "$tmp/linux"
for dir in linux asm asm-generic; do
	path=$(header_of "$dir/types.h")
	[ -n "$path" ] || fail "<$dir/types.h> is missing: install linux-libc-dev"
	ln -s "$(dirname "$path")" "$tmp/linux/$dir"
done

# compiles NAME COMPILER FLAG...: all of src and examples, and says so
compiles() {
	name=$1
	shift
	files=0
	for f in $(cd "$src" && find src examples -name '*.c' | LC_ALL=C sort); do
		files=$((files + 1))
		"$@" -c -o "$tmp/out.o" "$src/$f" \
			-std=gnu11 -fPIC -Wall -Wextra -Werror -D_GNU_SOURCE \
			-D_FILE_OFFSET_BITS=64 -DHAVE_CONFIG_H \
			-DEVDEMO_PATH='"/usr/bin/ublk-evdemo"' \
			-I"$build" -I"$src/include" -I"$src/src" \
			-isystem "$tmp/libs" || {
			echo "cross.sh: $name: $f does not compile" >&2
			bad=1
		}
	done
	[ $files -gt 50 ] || fail "only $files sources below $src"
	done=$((done + 1))
	echo "cross.sh: $name: $files sources"
}

# target NAME PACKAGE COMPILER FLAG...: if that compiler is there
target() {
	name=$1 package=$2
	shift 2
	if ! command -v "$1" >/dev/null; then
		echo "cross.sh: SKIPPED: $name needs $1: install $package"
		[ "${UBLKEV_REQUIRE_CROSS:-0}" != 1 ] || bad=1
		return 0
	fi
	compiles "$name" "$@"
}

# shellcheck disable=SC2086  # a compiler may be two words
compiles -O3 $CC -O3
target i386 gcc-i686-linux-gnu i686-linux-gnu-gcc -O1
target arm64 gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc -O1
target musl musl-tools musl-gcc -O1 -isystem "$tmp/linux"
exit $bad
