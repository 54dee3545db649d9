#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mutants.sh TREE [ROOM...]: changes the sources one line of mutants.txt at a
# time, in a build of TREE (an unpacked tarball, which is changed), and runs the
# tests named there: who survives lacks a test. Prints each survivor and a score
# for each room. 1 when one survived, 2 when a mutation does not apply or build.
# With MUTANTS_RECORD=FILE the row of each room in FILE's table is made anew, or
# added: the score, today's date and what MUTANTS_COMMIT says of the sources.
#
# Without TREE, as a test of "make check", it looks only whether each line changes
# something in the sources that there are: whoever reworks a file hears at once.

here=$(cd "$(dirname "$0")" && pwd) || exit 2
table=$here/mutants.txt
tree=$1
[ $# = 0 ] || shift
record=
[ -z "$MUTANTS_RECORD" ] || {
	record=$(cd "$(dirname "$MUTANTS_RECORD")" && pwd)/${MUTANTS_RECORD##*/}
	[ -w "$record" ] || {
		echo "mutants: no $record to record in" >&2
		exit 2
	}
}
list=$(mktemp) || exit 2
log=$(mktemp) || exit 2
victim=
trap 'rm -f "$list" "$log"; restore' EXIT
trap 'exit 130' INT TERM
status=0

wrong() {
	echo "mutants: $*" >&2
	status=2
}

restore() {
	[ -z "$victim" ] || {
		cp "$victim.orig" "$victim"
		rm -f "$victim.orig"
	}
	victim=
}

# A line that is none of these would be passed over for ever.
strange=$(grep -v -n -e '^#' -e '^[a-z]*: [a-z/_ ]*$' \
	-e '^[a-z/-]* | src/[a-z/_-]*\.[ch] | [a-z/_. ]* | .' "$table")
if [ "$strange" ]; then
	wrong "mutants.txt:$strange: no mutation"
	exit 2
fi

# LINE: sets file, tests and change
split() {
	change=${1#* | }
	file=${change%% | *}
	change=${change#* | }
	tests=${change%% | *}
	change=${change#* | }
}

[ "$tree" ] || {
	cd "$here/.." || exit 2
	grep '^[^#].* | ' "$table" >"$list"
	while IFS= read -r line; do
		split "$line"
		{ sed "$change" "$file" >"$log" && ! cmp -s "$log" "$file"; } ||
			wrong "$file: \"$change\" changes nothing: mend tests/mutants.txt"
		for t in $tests; do
			[ -e "tests/$t" ] || [ -e "tests/$t.c" ] ||
				grep -q "^$t: " "$table" ||
				wrong "mutants.txt: there is no tests/$t.c"
		done
	done <"$list"
	exit $status
}

cd "$tree" || exit 2
{ [ -f Makefile ] || ./configure --disable-shared CC="${CC:-cc}"; } >"$log" 2>&1 &&
	make -j"${JOBS:-2}" >>"$log" 2>&1 || {
	tail -20 "$log" >&2
	wrong "$tree does not build"
	exit 2
}

# the programs of tests, some of which are named together
programs() {
	for t in $1; do
		case $t in
		*/*) echo "tests/$t" ;;
		*) sed -n "s/^$t: //p" "$table" | tr ' ' '\n' |
			sed 's,^,tests/,' ;;
		esac
	done
}

# 0: all of them pass
run() {
	for t in $1; do
		timeout 120 "$t" >"$log" 2>&1 || return 1
	done
}

# a script's programs are built with it
build() {
	case $1 in
	*.sh*) set -- "$1 tests/programs/fake_evdemo tests/programs/fake_evctl" ;;
	esac
	# shellcheck disable=SC2086  # several
	make -j"${JOBS:-2}" $1 >"$log" 2>&1
}

# FILE PROGRAMS SED: sets verdict
mutate() {
	verdict=
	[ -f "$1" ] || { wrong "no $1: mend tests/mutants.txt"; return; }
	cp -p "$1" "$1.orig"
	victim=$1
	sed "$3" "$1.orig" >"$1"
	if cmp -s "$1" "$1.orig"; then
		wrong "$1: \"$3\" changes nothing: mend tests/mutants.txt"
		restore
		return
	fi
	# the next program is built only if this one has not noticed
	verdict=survived
	for t in $2; do
		build "$t" || {
			verdict=
			wrong "$1: \"$3\" does not compile: mend tests/mutants.txt"
			break
		}
		run "$t" || { verdict=killed; break; }
	done
	restore
}

# ROOM KILLED ALL
record() {
	row="| $1 | $2 | $3 | $(date -u +%Y-%m-%d) | ${MUTANTS_COMMIT:-unknown} |"
	if grep -q "^| $1 |" "$record"; then
		sed "s,^| $1 |.*,$row," "$record" >"$list.record" &&
			cat "$list.record" >"$record"
		rm -f "$list.record"
	else
		echo "$row" >>"$record"
	fi
}

for room in ${*:-$(sed -n '/^#/d; s/ | .*//p' "$table" | sort -u)}; do
	grep "^$room | " "$table" >"$list" ||
		{ wrong "no mutant of $room"; continue; }
	all=0 killed=0
	every=$(programs "$(sed 's/^[^|]*|[^|]*| \([^|]*\) |.*/\1/' "$list" |
		tr ' ' '\n' | sort -u)" | sort -u)
	build "$every" && run "$every" || {
		tail -5 "$log" >&2
		wrong "$room: fails without a mutation: $t"
		continue
	}
	while IFS= read -r line; do
		split "$line"
		mutate "$file" "$(programs "$tests")" "$change" </dev/null
		[ "$verdict" ] || continue
		all=$((all + 1))
		if [ "$verdict" = killed ]; then
			killed=$((killed + 1))
		else
			printf "survived: %s: %s\n" "$file" "$change"
			[ $status = 2 ] || status=1
		fi
	done <"$list"
	echo "$room: $killed of $all killed"
	[ -z "$record" ] || record "$room" "$killed" "$all"
done
exit $status
