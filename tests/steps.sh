#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What life.h, HACKING.md and the manual say of the steps of a device's life is
# what the core's table says, and what a life does: print_steps prints it. Run
# as "steps.sh print" it shows what to put into them.
set -u

src=${abs_top_srcdir:-.}
build=${abs_top_builddir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

steps=$(sed -n '/^enum ublkev_step {/,/^};/s/^	UBLKEV_STEP_\([A-Z_]*\),.*/\1/p' \
	"$src/include/ublkev/dev.h")
for part in ways deadlines commands; do
	# the list is words
	# shellcheck disable=SC2086
	"$build/tests/unit/print_steps" $part $steps >"$tmp/$part" || exit 99
	[ "${1-}" != print ] || cat "$tmp/$part"
done
[ "${1-}" != print ] || exit 0

# holds FILE PART: the part's lines are in the file, one after the other
holds() {
	sed 's/^ \*	//; s/^    //' "$src/$1" |
		awk -v first="$(head -n 1 "$tmp/$2")" \
		    -v lines="$(wc -l <"$tmp/$2")" '
			$0 == first { n = lines }
			n-- > 0' | diff - "$tmp/$2" >"$tmp/diff" && return
	echo "steps: $1 has not the $2 that the table has:" >&2
	cat "$tmp/diff" >&2
	bad=1
}

holds src/core/life.h ways
holds src/core/life.h deadlines
holds HACKING.md ways
holds HACKING.md deadlines
holds HACKING.md commands
holds doc/ublkev_dev.3 ways
holds doc/ublkev_conf.3 deadlines
exit $bad
