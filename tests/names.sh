#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The names of the house: no private name equals a public one up to its
# underscores, no basename occurs twice, and the static functions of a file
# begin with its noun, so that a backtrace says where it is. And its files: each
# begins with a comment that says what it is for, and can be read in one sitting.

src=${abs_top_srcdir:-${srcdir:-.}}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
bad=0

wrong() {
	echo "names: $*" >&2
	bad=1
}

# ---- private and public -----------------------------------------------------
grep -hoE '\b(ublkev|UBLKEV)_[A-Za-z0-9_]+' "$src"/include/*.h \
	"$src"/include/ublkev/*.h "$src"/src/*/*.[ch] | sort -u >"$dir/all"
grep -E '^(ublkev|UBLKEV)__' "$dir/all" | tr -s _ | sort -u >"$dir/private"
grep -vE '^(ublkev|UBLKEV)__' "$dir/all" | tr -s _ | sort -u >"$dir/public"
[ -s "$dir/private" ] && [ -s "$dir/public" ] || exit 99
for n in $(comm -12 "$dir/private" "$dir/public"); do
	wrong "$n is a public name, and but for an underscore a private one"
done

# ---- basenames --------------------------------------------------------------
for f in "$src"/include/*.h "$src"/include/ublkev/*.h "$src"/src/*/*.[ch]; do
	echo "${f##*/}"
done | sort | uniq -d >"$dir/twice"
while read -r f; do
	wrong "$f occurs twice among the files of include/ and src/"
done <"$dir/twice"

# ---- statics ----------------------------------------------------------------
# nouns FILE: what its statics may begin with: the basename, also without the
# "ev" of src/ev, its first or last word, these also in the singular, or what
# follows
nouns() {
	b=${1##*/}
	b=${b%.c}
	last=${b##*_}
	echo "$b" "${b#ev}" "${b%%_*}" "$last" "${b%s}" "${last%s}"
	case $b in
	carrier_ring) echo cring ;;	# ring.c is another
	carrier_broker) echo cbroker ;;
	esac
}

for f in "$src"/src/*/*.c; do
	begins=$(nouns "$f" | tr ' ' '\n' | sort -u | paste -sd '|')
	sed -nE 's/^static ([a-z].*[ *])?([a-z_0-9]+)\(.*/\2/p' "$f" |
		grep -vE "^(__attribute__$|($begins)(_|\$))" >"$dir/odd"
	while read -r n; do
		wrong "$f: $n() does not begin with one of $begins"
	done <"$dir/odd"
done

# ---- files --------------------------------------------------------------------
# behind the licence, whatever has words in its first two lines
awk -v most=620 '
	function ended() {
		if (lines > most)
			print file ": " lines " lines, " most " are the most"
		if (file != "" && !head)
			print file ": does not begin with what it is for"
	}
	FNR == 1 { ended(); file = FILENAME; head = 0 }
	FNR == 2 { comment = /^\/\*/ }
	FNR <= 3 && comment && /^(\/| )\*.*[a-z][a-z].* [a-z]/ { head = 1 }
	{ lines = FNR }
	END { ended() }' "$src"/include/*.h "$src"/include/ublkev/*.h \
	"$src"/src/*.c "$src"/src/*/*.[ch] "$src"/tests/*/*.[ch] \
	"$src"/examples/*.c >"$dir/files"
while read -r n; do
	wrong "$n"
done <"$dir/files"
exit $bad
