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
tools='(__asan_|__ubsan_|__sanitizer_|__gcov_|__gcov0|__llvm_|__sancov_|__stack_chk|__stack_smash|_GLOBAL_OFFSET_TABLE_|_GLOBAL__|llvm_gc|mangled_path)'
pure='(memset|memcpy|memmove|memcmp|strlen|strcmp|strncmp|strstr|__assert_fail|ublkev_[a-z]|ublkev__)'

wrong() {
	echo "purity: $*" >&2
	bad=1
}

# those of make, in src/ROOM/.libs when libtool made them
objects() {
	find "$build/src/$1" -name '*.o' 2>/dev/null | grep '/\.libs/' ||
		find "$build/src/$1" -name '*.o' 2>/dev/null
}

# wants ROOM [NOT]: "OBJECT=SYMBOL" for what each of its objects has not itself, but
# of those that match NOT; all at once, for there are many
wants() {
	files=$(objects "$1" | grep -vE "${2:-^$}")
	# shellcheck disable=SC2086  # words
	[ -z "$files" ] || $nm -A -u $files |
		awk '{ sub(/@.*/, "", $NF); sub(/:.*/, "", $1); print $1 "=" $NF }'
}

[ "$(objects core)" ] || { echo "purity: no objects in $build/src/core"; exit 77; }
for w in $(wants core | grep -Ev "=($tools|$pure)"); do
	wrong "${w%%=*} wants ${w##*=}: the core does no I/O"
done

# the core must not reach the other rooms through our own names either
for w in $(wants core | grep -E '=ublkev__(io|carrier|ring|cdev|sqe|abi|guard|log|mem|pump|ev|engine)'); do
	wrong "${w%%=*} wants ${w##*=}"
done

# globals ROOM: likewise for what is writable; const tables of pointers are in
# .data.rel.ro
globals() {
	# shellcheck disable=SC2046  # words
	$nm -f sysv $(objects "$1") | awk -F'|' '
		/^Symbols from / { sub(/^Symbols from /, ""); sub(/:$/, ""); o = $0 }
		$7 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ &&
		$7 !~ /^\.data\.rel\.ro/ &&
		$4 !~ /SECTION/ { sub(/ +$/, "", $1); print o "=" $1 }'
}

for room in util core uring ev backend layer layers; do
	for w in $(globals $room | grep -Ev "=($tools|__|\.L)"); do
		wrong "${w%%=*} has the writable global ${w##*=}"
	done
done

# the fourth law: no threads, signals, stdio or waiting (snprintf writes to
# memory)
uneasy='(pthread_|thrd_|sig|signal$|raise$|kill$|alarm$)|(v?f?printf|f?puts|putchar|fopen|fdopen|fwrite|perror|stdout|stderr|syslog|openlog|exit|sleep|usleep|nanosleep|poll|select|fork|system|popen)$'
# (the broker is a process, workers and pool are threads, which it asks for)
for room in util core uring ev backend layer layers; do
	for w in $(wants $room '[/-](broker_fork|broker_run|spawn|evworker|evoffload)\.o$' |
		grep -E "=($uneasy)"); do
		wrong "${w%%=*} wants ${w##*=}"
	done
done

# includes ROOM PATTERN: every #include of the room matches
includes() {
	for i in $(may=$2 awk '/^#[ \t]*include[ \t]*[<"]/ {
			i = $0
			sub(/^#[ \t]*include[ \t]*/, "", i)
			match(i, /^.[^>"]*[>"]/)
			i = substr(i, 1, RLENGTH)
			if (i !~ ENVIRON["may"])
				print FILENAME "=" i
		}' "$src"/src/$1/*.[ch]); do
		wrong "${i%%=*} includes ${i##*=}, which src/$1 may not"
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
not_included layer 'core/|uring/|ev/|liburing'
not_included layers 'core/|uring/|ev/|liburing'
not_included common 'core/|uring/|ev/|backend/|util/|liburing|ublk-evdemo/'
not_included ublk-evctl 'core/|uring/|ev/|backend/|util/|liburing|ublk-evdemo/'
not_included ublk-evdemo 'core/|uring/|ev/|backend/|util/|liburing'

lib=$build/.libs/libublkev.so
map=$src/src/libublkev.map
if [ -f "$lib" ]; then
	exports=$($nm -D --defined-only "$lib" |
		awk '$2 != "A" { print $3 }' | sed 's/@.*//' |
		grep -vE "^($tools|__)" | sort -u)
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
