#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mutants.sh TREE [ROOM...]: changes the sources one line of mutants.txt at a
# time, in a build of TREE (an unpacked tarball, which is changed), and runs the
# tests named there: who survives lacks a test. Prints each survivor and a score
# for each room. 1 when one survived, 2 when a mutation does not apply or build.

here=$(cd "$(dirname "$0")" && pwd) || exit 2
tree=$1
shift
rooms=${*:-uring core ev backend}
list=$(mktemp) || exit 2
log=$(mktemp) || exit 2
trap 'rm -f "$list" "$log"' EXIT
status=0

wrong() {
	echo "mutants: $*" >&2
	status=2
}

cd "$tree" || exit 2
{ [ -f Makefile ] || ./configure --disable-shared CC="${CC:-cc}"; } >"$log" 2>&1 &&
	make -j"${JOBS:-2}" >>"$log" 2>&1 || {
	tail -20 "$log" >&2
	wrong "$tree does not build"
	exit 2
}

# the tests of one; 0: all of them pass
run() {
	for t in $1; do
		timeout 120 "tests/$t" >"$log" 2>&1 || return 1
	done
}

build() {
	for t in $1; do
		make -j"${JOBS:-2}" "tests/$t" >"$log" 2>&1 || return 1
	done
}

# FILE TESTS SED: prints killed or survived
mutate() {
	cp -p "$1" "$1.orig"
	sed "$3" "$1.orig" >"$1"
	if cmp -s "$1" "$1.orig"; then
		verdict=
		wrong "$1: \"$3\" changes nothing: mend tests/mutants.txt"
	elif ! build "$2"; then
		verdict=
		wrong "$1: \"$3\" does not compile: mend tests/mutants.txt"
	elif run "$2"; then
		verdict=survived
	else
		verdict=killed
	fi
	cp "$1.orig" "$1"
	rm -f "$1.orig"
}

for room in $rooms; do
	grep "^$room | " "$here/mutants.txt" >"$list" ||
		{ wrong "no mutant of $room"; continue; }
	all=0 killed=0
	tests=$(sed 's/^[^|]*|[^|]*| \([^|]*\) |.*/\1/' "$list" |
		tr ' ' '\n' | sort -u | tr '\n' ' ')
	build "$tests" && run "$tests" ||
		{ wrong "$room: fails without a mutation: $t"; continue; }
	while IFS= read -r line; do
		rest=${line#* | }
		file=${rest%% | *}
		rest=${rest#* | }
		mutate "$file" "${rest%% | *}" "${rest#* | }" </dev/null
		[ "$verdict" ] || continue
		all=$((all + 1))
		if [ "$verdict" = killed ]; then
			killed=$((killed + 1))
		else
			echo "survived: $file: ${rest#* | }"
			[ $status = 2 ] || status=1
		fi
	done <"$list"
	echo "$room: $killed of $all killed"
done
exit $status
