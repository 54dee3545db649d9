#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The laws of the house, read from the objects and the sources: the core does
# no I/O, nothing has globals, each room includes only what it may, and the
# library exports what src/libublkev.map says.

src=${abs_top_srcdir:-${srcdir:-.}}
build=${abs_top_builddir:-${builddir:-.}}
nm=${NM:-nm}
nm=${nm%% *}
bad=0

# instrumentation that compilers put in
tools='^(__asan_|__ubsan_|__sanitizer_|__gcov_|__gcov0|__llvm_|__sancov_|__stack_chk|__stack_smash|_GLOBAL_OFFSET_TABLE_|_GLOBAL__|llvm_gc|mangled_path)'
pure='^(memset|memcpy|memmove|memcmp|strlen|strcmp|strncmp|strstr|__assert_fail|ublkev_[a-z]|ublkev__)'

wrong() {
	echo "purity: $*" >&2
	bad=1
}

# those of make, in src/ROOM/.libs when libtool made them
objects() {
	find "$build/src/$1" -name '*.o' 2>/dev/null | grep '/\.libs/' ||
		find "$build/src/$1" -name '*.o' 2>/dev/null
}

# wants OBJECT: what it has not itself
wants() {
	$nm -u "$1" | awk '{ sub(/@.*/, "", $NF); print $NF }'
}

for o in $(objects core); do
	found_core=1
	for s in $(wants "$o" | grep -Ev "$tools|$pure"); do
		wrong "$o wants $s: the core does no I/O"
	done
done
[ "$found_core" ] || { echo "purity: no objects in $build/src/core"; exit 77; }

# the core must not reach the other rooms through our own names either
for o in $(objects core); do
	for s in $(wants "$o" | grep -E '^ublkev__(io|carrier|ring|cdev|sqe|abi|guard|log|mem|pump|ev|engine)'); do
		wrong "$o wants $s"
	done
done

for room in util core uring ev backend; do
	for o in $(objects $room); do
		# const tables of pointers are in .data.rel.ro
		for s in $($nm -f sysv "$o" | awk -F'|' '
			$7 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ &&
			$7 !~ /^\.data\.rel\.ro/ &&
			$4 !~ /SECTION/ { sub(/ +$/, "", $1); print $1 }' |
			grep -Ev "$tools|^__|\.L"); do
			wrong "$o has the writable global $s"
		done
	done
done

# the fourth law: no threads, signals, stdio or waiting (snprintf writes to
# memory)
uneasy='^(pthread_|thrd_|sig|signal$|raise$|kill$|alarm$)|^(v?f?printf|f?puts|putchar|fopen|fdopen|fwrite|perror|stdout|stderr|syslog|openlog|exit|sleep|usleep|nanosleep|poll|select|fork|system|popen)$'
# (the broker is a process, workers and pool are threads, which it asks for)
for room in util core uring ev backend; do
	for o in $(objects $room | grep -vE '[/-](broker_fork|broker_run|spawn|evworker|evoffload)\.o$'); do
		for s in $(wants "$o" | grep -E "$uneasy"); do
			wrong "$o wants $s"
		done
	done
done

# includes ROOM PATTERN: every #include of the room matches
includes() {
	for f in "$src"/src/$1/*.[ch]; do
		for i in $(sed -n 's/^#[ \t]*include[ \t]*\([<"][^>"]*[>"]\).*/\1/p' "$f" |
			grep -Ev "$2"); do
			wrong "$f includes $i, which src/$1 may not"
		done
	done
}

# not_included ROOM PATTERN
not_included() {
	grep -HnE "^#[ 	]*include[ 	]*[<\"]($2)" "$src"/src/$1/*.[ch] >&2 &&
		wrong "src/$1 may not include that"
}

includes core '^(<(stdint|stddef|stdbool|errno|string|assert)\.h>|<ublkev/[a-z]*\.h>|"core/[a-z_]*\.h")$'
not_included util 'ev\.h|liburing|core/|uring/|ev/|backend/'
not_included uring 'ev\.h|ev/|backend/'
not_included ev 'liburing|uring/(abi|sqe|ring|cdev|udata|iobuf|io_priv)\.h'
not_included backend 'core/|uring/|ev/|liburing'
not_included common 'core/|uring/|ev/|backend/|util/|liburing|ublk-evdemo/'
not_included ublk-evctl 'core/|uring/|ev/|backend/|util/|liburing|ublk-evdemo/'
not_included ublk-evdemo 'core/|uring/|ev/|backend/|util/|liburing'

lib=$build/.libs/libublkev.so
map=$src/src/libublkev.map
if [ -f "$lib" ]; then
	exports=$($nm -D --defined-only "$lib" |
		awk '$2 != "A" { print $3 }' | sed 's/@.*//' |
		grep -vE "$tools|^__" | sort -u)
	promised=$(sed -n 's/^[ \t]*\(ublkev_[a-z0-9_]*\);.*/\1/p' "$map" |
		sort -u)
	case $exports in
	*ublkev__*) wrong "private names are exported" ;;
	esac
	[ "$exports" = "$promised" ] || {
		wrong "exports are not those of $map:"
		echo "$exports" >"${TMPDIR:-/tmp}/purity.$$"
		echo "$promised" | diff "${TMPDIR:-/tmp}/purity.$$" - >&2
		rm -f "${TMPDIR:-/tmp}/purity.$$"
	}
else
	echo "purity: no $lib, its exports are not looked at"
fi

exit $bad
