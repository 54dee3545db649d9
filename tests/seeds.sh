#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# seeds.sh PROGRAM...: runs those of the test programs that are random, each
# with $SEEDS seeds (300), or for $SEEDS_S seconds (30) if they take longer.
# Names each seed that failed, with the end of its log; 1 if there is any. The
# first seed is $UBLKEV_SEED, or the time.

seeds=${SEEDS:-300}
limit_s=${SEEDS_S:-30}
first=${UBLKEV_SEED:-$(date +%s)}
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
status=0

# Whatever asks for a seed does so by this call; fuzz_main.c does for its targets.
is_random() {
	case ${1##*/} in
	fuzz_*) ;;
	*) grep -q 'test_seed(' "${abs_top_srcdir:-.}/$1.c" ;;
	esac
}

# PROGRAM: with one seed after the other
go_through() {
	end=$(($(date +%s) + limit_s))
	n=0 bad=0
	while [ "$n" -lt "$seeds" ] && [ "$(date +%s)" -lt "$end" ]; do
		seed=$((first + n))
		n=$((n + 1))
		UBLKEV_SEED=$seed "$1" >"$log" 2>&1 && continue
		bad=$((bad + 1))
		echo "$1: fails with UBLKEV_SEED=$seed:"
		tail -n 5 "$log" | sed 's/^/	/'
	done
	echo "$1: $n seeds, $bad failed"
	[ "$bad" = 0 ]
}

for t in "$@"; do
	! is_random "$t" || go_through "$t" || status=1
done
exit $status
