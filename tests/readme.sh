#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The README tells the truth: its example is examples/minimal.c, the commands
# it names exist, and its first two lines of commands are the promised ones.
set -eu

src=${abs_top_srcdir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() {
	echo "readme.sh: $*" >&2
	exit 1
}

# what stands indented between these two lines, without the indent; the
# example's two lines of comment are not in the README
sed -n '/^A disk in forty lines/,/^The other examples/p' "$src/README" |
	sed -n '/^    #include/,$p' | sed -e '$d' -e 's/^    //' |
	sed -e '${/^$/d}' > "$tmp/readme.c"
sed '1,2d' "$src/examples/minimal.c" > "$tmp/minimal.c"
diff -u "$tmp/minimal.c" "$tmp/readme.c" ||
	fail "the example is not examples/minimal.c"

for line in \
	'    ./bootstrap && ./configure && make demo' \
	'    ./bootstrap && ./configure && make check'; do
	head -n 10 "$src/README" | grep -qF -- "$line" ||
		fail "missing near the top: $line"
done

for target in $(sed -n 's/^    make \([a-z0-9-]*\).*/\1/p' \
	"$src/README" "$src/HACKING" | sort -u); do
	cat "$src/Makefile.am" "$src/vm/vm.am" |
		grep -q "^$target:\|^ *$target " && continue
	case $target in
	install|check|distcheck) ;;
	*) fail "there is no make $target" ;;
	esac
done
