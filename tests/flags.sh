#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# doc/flags.md has all that the driver's interface has: each feature that
# src/core/names.h knows, each number of src/uring/abi.h, and each name of the
# system's <linux/ublk_cmd.h>, or of the header that UBLK_CMD_H names; with
# their numbers. Whoever is said to show one is there.
set -u

src=${abs_top_srcdir:-$PWD}
doc=$src/doc/flags.md
header=${UBLK_CMD_H:-/usr/include/linux/ublk_cmd.h}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

wrong() {
	echo "flags: $*" >&2
	bad=1
}

# PREFIX NUMBER NAME USE SHOWN of each row, | between; the heading has the prefix
awk -F ' *[|] *' '
	match($0, /\(UBLK_[^)]*\)/) || /^Attributes/ {
		match($0, /UBLK_[A-Z_]*_/)
		prefix = substr($0, RSTART, RLENGTH)
		other = /AUTO_BUF_REG_\)/ ? "UBLK_AUTO_BUF_REG_" : ""
	}
	/^\| *[0-9]/ {
		p = other != "" && $3 == "FALLBACK" ? other : prefix
		print p "|" $2 "|" $3 "|" $5 "|" $6
	}' "$doc" >"$tmp/rows"
[ "$(wc -l <"$tmp/rows")" -ge 80 ] || wrong "the rows are not found"

# row PREFIX NAME: its number, use and who shows it; false: there is none
row() {
	grep "^$1|[^|]*|$2|" "$tmp/rows" | cut -d'|' -f2,4,5 | grep .
}

# ---- who is said to show it ---------------------------------------------------
while IFS='|' read -r prefix number name use shown; do
	case $use in
	"not used: "?*)
		[ -z "$shown" ] || wrong "$prefix$name: not used, and shown?"
		continue ;;
	"not used"*|"") wrong "$prefix$name: why is it not used?" ;;
	esac
	[ -e "$src/vm/cases/$shown.sh" ] ||
		[ -e "$src/tests/unit/$shown.c" ] ||
		[ -e "$src/tests/engine/$shown.c" ] ||
		[ -e "$src/tests/programs/$shown.c" ] ||
		wrong "$prefix$name: there is no case or test '$shown'"
done <"$tmp/rows"

# ---- features by name, in the order of their bits -----------------------------
awk '/UBLKEV__FB_[A-Z_]+,/ { sub(/.*UBLKEV__FB_/, ""); sub(/,.*/, ""); print }' \
	"$src/src/core/names.h" >"$tmp/features"
bit=0
while read -r name; do
	got=$(row UBLK_F_ "$name") || wrong "the feature $name is missing"
	[ "${got%%|*}" = $bit ] || wrong "$name is bit $bit, not ${got%%|*}"
	bit=$((bit + 1))
done <"$tmp/features"
[ $bit -ge 21 ] || wrong "the features are not found"
[ "$(grep -c '^UBLK_F_|' "$tmp/rows")" = $bit ] || wrong "features too many"

# ---- numbers that are used ----------------------------------------------------
# used PREFIX ABI_PREFIX: rows and abi.h have the same, with the same numbers
used() {
	sed -n "s/^#define $2\([A-Z_0-9]*\)[[:space:]]*\(ABI_[A-Z_]*(\(0x[0-9a-f]*\))\|(1u << \([0-9]*\))\)\$/\1 \3\4/p" \
		"$src/src/uring/abi.h" >"$tmp/abi"
	[ -s "$tmp/abi" ] || wrong "abi.h has no $2"
	while read -r name number; do
		got=$(row "$1" "$name") || wrong "$1$name is missing"
		[ "${got%%|*}" = "$number" ] ||
			wrong "$1$name is $number in abi.h, not ${got%%|*}"
		case $got in
		*"|not used"*) wrong "$1$name is used: abi.h has it" ;;
		esac
	done <"$tmp/abi"
	grep "^$1|" "$tmp/rows" | grep -v '|not used' | cut -d'|' -f3 |
		while read -r name; do
			grep -q "^$name " "$tmp/abi" || echo "$1$name"
		done >"$tmp/unused"
	[ ! -s "$tmp/unused" ] ||
		wrong "said to be used, but not in abi.h: $(cat "$tmp/unused")"
}
used UBLK_U_CMD_ ABI_CMD_
used UBLK_U_IO_ ABI_IO_
used UBLK_PARAM_TYPE_ ABI_PARAM_TYPE_

# ---- what a header has --------------------------------------------------------
cut -d'|' -f1,3 "$tmp/rows" | tr -d '|' >"$tmp/names"

# missing HEADER: what has no row, of the sorts that the document has; a mask is
# no flag
missing() {
	sed -n 's/^#define[[:space:]]*\(UBLK_[A-Z0-9_]*\).*/\1/p' "$1" |
		grep -E '^UBLK_(F|U_CMD|U_IO|PARAM_TYPE|ATTR|IO_OP|IO_F|BATCH_F|AUTO_BUF_REG)_' |
		grep -v '_MASK$' | grep -vxF -f "$tmp/names"
}

if [ -r "$header" ]; then
	for name in $(missing "$header"); do
		wrong "$name of $header is missing"
	done
fi
cat >"$tmp/newer.h" <<END
#define UBLK_F_IO_DESC_SIZE (1ULL << 20)
#define UBLK_F_NEWER (1ULL << 21)
#define	UBLK_U_CMD_NEWER	\\
#define		UBLK_IO_F_NEWER		(1U << 20)
END
[ "$(missing "$tmp/newer.h" | tr '\n' ' ')" = \
	"UBLK_F_NEWER UBLK_U_CMD_NEWER UBLK_IO_F_NEWER " ] ||
	wrong "what is newer would not be noticed"
exit $bad
