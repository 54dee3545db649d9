#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The manual is whole and right: each exported function is in the NAME of one
# page, the declarations of a page's SYNOPSIS are those of the headers (they
# compile beside them), and mandoc and man have no complaint.
set -eu

src=${abs_top_srcdir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: "${CC:=cc}"

fail() {
	echo "manual.sh: $*" >&2
	exit 1
}

# names PAGE: what its NAME says
names() {
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_0-9]*\).*/\1/p' "$1"
}

# declarations PAGE: .Ft and .Fn of its SYNOPSIS, as C
declarations() {
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$1" | awk '
		/^\.Ft / { type = substr($0, 5) }
		/^\.Fn / {
			split($0, part, "\"")
			split(part[1], word, " ")
			line = type " " word[2] "("
			for (i = 2; i in part; i += 2)
				line = line (i > 2 ? ", " : "") part[i]
			print line ");"
		}'
}

for page in "$src"/doc/ublkev_*.3 "$src/doc/ublkev.3.in"; do
	names "$page" >> "$tmp/named"
	declarations "$page" > "$tmp/page.c"
	[ -s "$tmp/page.c" ] || fail "$page declares nothing"
	sed -n 's/.* \**\(ublkev_[a-z_0-9]*\)(.*/\1/p' "$tmp/page.c" |
		LC_ALL=C sort > "$tmp/declared"
	names "$page" | grep -vx "$(basename "$page" | sed 's/\.3.*//')" |
		LC_ALL=C sort > "$tmp/own"
	diff "$tmp/own" "$tmp/declared" ||
		fail "$page: NAME and SYNOPSIS name different functions"
	{
		echo '#include <ublkev.h>'
		cat "$tmp/page.c"
	} > "$tmp/check.c"
	$CC -std=c11 -Wall -Werror -fsyntax-only -I"$src/include" \
		"$tmp/check.c" || fail "$page: not as the headers have it"
done

dup=$(LC_ALL=C sort "$tmp/named" | uniq -d)
[ -z "$dup" ] || fail "in the NAME of two pages: $dup"
symbols=$(sed -n 's/^\t\(ublkev_[a-z_0-9]*\);/\1/p' "$src/src/libublkev.map")
[ -n "$symbols" ] || fail "libublkev.map has no symbols"
for symbol in $symbols; do
	grep -qx "$symbol" "$tmp/named" || fail "no page has $symbol in its NAME"
done

# ublkev_conf(3) has every flag and member
for word in $(sed -n 's/^#define \(UBLKEV_CONF_[A-Z_]*\)[ \t]*(.*/\1/p' \
		"$src/include/ublkev/conf.h") \
	$(sed -n '/^struct ublkev_conf {/,/^};/p' "$src/include/ublkev/conf.h" |
		sed -n 's/^\t[a-z].*[ *]\([a-z_]*\);.*/\1/p'); do
	case $word in
	size|*_data) continue ;;	# of init, and behind a function
	esac
	grep -qw -e "$word" "$src/doc/ublkev_conf.3" ||
		fail "ublkev_conf(3) does not have $word"
done

# STYLE of mandoc is about pages that are not installed here
if command -v mandoc >/dev/null; then
	for page in "$src"/doc/*.[13] "$src/doc/ublkev.3.in"; do
		mandoc -T lint -W warning "$page" > "$tmp/lint" || {
			cat "$tmp/lint"
			fail "mandoc complains of $page"
		}
	done
else
	echo "manual.sh: SKIPPED: mandoc's opinion: install mandoc"
fi
if command -v groff >/dev/null; then
	for page in "$src"/doc/*.[13] "$src/doc/ublkev.3.in"; do
		groff -ww -mandoc -Tutf8 "$page" 2> "$tmp/lint" >/dev/null
		[ ! -s "$tmp/lint" ] || {
			cat "$tmp/lint"
			fail "groff complains of $page"
		}
	done
else
	echo "manual.sh: SKIPPED: groff's opinion: install groff-base"
fi
