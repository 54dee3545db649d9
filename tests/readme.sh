#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The documents tell the truth: the README's example is examples/minimal.c, its
# first two lines of commands are the promised ones, it is short, and what the
# documents name is there: targets of make, options of the programs, files,
# and the picture of peers.tsv.
set -eu

src=${abs_top_srcdir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() {
	echo "readme.sh: $*" >&2
	exit 1
}

# the example's two lines of comment are not in the README
sed -n '/^```c$/,/^```$/p' "$src/README.md" | sed '1d;$d' > "$tmp/readme.c"
sed '1,2d' "$src/examples/minimal.c" > "$tmp/minimal.c"
diff -u "$tmp/minimal.c" "$tmp/readme.c" ||
	fail "the example is not examples/minimal.c"

for line in \
	'    ./bootstrap && ./configure && make demo' \
	'    ./bootstrap && ./configure && make check'; do
	head -n 12 "$src/README.md" | grep -qF -- "$line" ||
		fail "missing near the top: $line"
done

for target in $(sed -n 's/^    make \([a-z0-9-]*\).*/\1/p' \
	"$src/README.md" "$src/HACKING.md" "$src/CONTRIBUTING.md" \
	"$src/doc/figures.md" | sort -u); do
	cat "$src/Makefile.am" "$src/vm/vm.am" |
		grep -q "^$target:\|^ *$target " && continue
	case $target in
	install|check|distcheck|clean) ;;
	*) fail "there is no make $target" ;;
	esac
done

[ "$(wc -l < "$src/README.md")" -le 150 ] || fail "README.md is beyond 150 lines"

# links and pictures lead to files
for doc in README.md HACKING.md CONTRIBUTING.md doc/figures.md; do
	for path in $(grep -o '](\([^)#:]*\))' "$src/$doc" |
		sed 's/^](//; s/)$//'); do
		[ -e "$src/$(dirname $doc)/$path" ] || fail "$doc: no $path"
	done
done

"$src/doc/chart" "$src/doc/peers.tsv" | diff - "$src/doc/peers.svg" ||
	fail "doc/peers.svg is not drawn from doc/peers.tsv: run doc/chart"

# What is typed as root is taken by the programs: it fails for want of a driver,
# not of its options. With a driver it would do what it says.
build=${abs_top_builddir:-$PWD}
if [ ! -x "$build/ublk-evctl" ]; then
	echo "readme.sh: SKIPPED: commands: built without the programs"
elif [ -e /dev/ublk-control ]; then
	echo "readme.sh: SKIPPED: commands: this machine has a driver"
else
	XDG_RUNTIME_DIR=$tmp
	export XDG_RUNTIME_DIR
	sed -n 's/^ *# \(ublk-ev[a-z]* .*\)/\1/p' "$src/README.md" \
		"$src/HACKING.md" > "$tmp/commands"
	[ -s "$tmp/commands" ] || fail "no commands to try"
	while read -r program args; do
		args=$(echo "$args" | sed "s|/dev/shm|$tmp|g")
		status=0
		# words: unquoted
		# shellcheck disable=SC2086
		timeout 60 "$build/$program" $args > "$tmp/out" 2>&1 \
			< /dev/null || status=$?
		case $status in
		2|12[4-7])
			cat "$tmp/out"
			fail "$program $args ended with $status" ;;
		esac
	done < "$tmp/commands"
fi
