#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each public header, alone and twice, is pedantic C99, C11 and C++11.

src=${abs_top_srcdir:-${srcdir:-.}}
cc=${CC:-cc}
cxx=${CXX-c++}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
flags="-pedantic-errors -Wall -Wextra -Werror -fsyntax-only"
bad=0

# one LANGUAGE COMPILER STANDARD HEADER
one() {
	printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' \
		"$4" "$4" >"$dir/x.$1"
	$2 -std=$3 $flags -I"$src/include" "$dir/x.$1" || {
		echo "headers: $4 is no $3" >&2
		bad=1
	}
}

headers="ublkev.h ublkev/req.h ublkev/backend.h ublkev/broker.h ublkev/file.h \
	 ublkev/cmd.h ublkev/conf.h ublkev/dev.h ublkev/reqop.h \
	 ublkev/layer.h ublkev/layers.h ublkev/diskspec.h"
for h in $headers; do
	[ -f "$src/include/$h" ] || { echo "headers: no $h"; exit 99; }
	one c "$cc" c99 $h
	one c "$cc" c11 $h
done
for h in "$src"/include/ublkev/*.h; do
	case " $headers " in
	*" ublkev/${h##*/} "*) ;;
	*) echo "headers: ${h##*/} is not tested" >&2; bad=1 ;;
	esac
done

if [ -n "$cxx" ] && $cxx --version >/dev/null 2>&1; then
	for h in $headers; do
		one cc "$cxx" c++11 $h
	done
	echo "headers: C99, C11, C++11"
else
	echo "headers: C99, C11; NO C++ COMPILER ($cxx): C++11 NOT TESTED"
fi
exit $bad
