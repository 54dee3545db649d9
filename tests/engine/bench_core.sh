#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tests/engine/bench_core.sh: the instructions of tests/engine/bench_core that are the
# engine's own, per request, compared with tests/engine/bench_core.budget.
#
# callgrind knows the source file of every instruction; those of src/util, core,
# ev and backend are counted, inlined functions and headers included, and the
# fake driver's, libev's and the C library's (memcpy) are not. The count is the
# same on every run; the nanoseconds beside it are this machine's.
set -eu

usage() {
	cat <<-END
	usage: bench_core.sh [--record]

	Run by "make bench-core" in the build directory; --record, by "make
	bench-core-budget", writes what it finds as the new budget.
	Status: 0; 1 above the budget, or, with UBLKEV_REQUIRE_VM=1, no
	valgrind; 77 no valgrind.
	END
}

src=$(cd "$(dirname -- "$0")" && pwd)
budget=$src/bench_core.budget
prog=tests/engine/bench_core
margin=2	# percent
reqs=20000	# counted
timed=500000

record=no
case ${1-} in
'') ;;
--record) record=yes ;;
--help) usage; exit 0 ;;
*) echo "bench_core.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
esac

if ! command -v valgrind >/dev/null; then
	echo "bench-core: no valgrind on this machine: run ./bootstrap," \
		"or install the package valgrind" >&2
	[ "${UBLKEV_REQUIRE_VM:-0}" = 1 ] || exit 77
	echo "0 passed, 1 failed"
	exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# instructions BACKEND OP DEPTH
instructions() {
	valgrind -q --tool=callgrind --callgrind-out-file="$tmp/out" \
		--collect-atstart=no --toggle-collect=measure \
		"$prog" "$@" $reqs stepped >&2
	# "fl=(7) name" ("cfl=" of a called function), later "fl=(7)"; below it
	# lines "WHERE COUNT", of which the one behind a "calls=" is what the
	# called function took
	awk -v reqs=$reqs '
		/^c?f[lie]=/ {
			id = name = substr($0, index($0, "=") + 1)
			sub(/\).*/, "", id); sub(/^[^ ]* ?/, "", name)
			if (name != "")
				ours[id] = name ~ /(^|\/)src\/(util|core|ev|backend)\//
			if (!/^c/)
				count = ours[id]
		}
		/^calls=/ { skip = 1; next }
		/^[0-9+*-]/ { if (count && !skip) sum += $2; skip = 0 }
		END { printf "%.0f\n", sum / reqs }' "$tmp/out"
}

compiler=$("$prog")
known=$(sed -n 's/^compiler //p' "$budget" 2>/dev/null || :)
cat >"$tmp/new" <<END
# What a request of 4 KiB may cost the engine, in instructions; see HACKING.md,
# "Measuring". Written by make bench-core-budget.
compiler $compiler
# backend, op, depth, instructions
END

compare=yes
if [ $record = yes ]; then
	compare=no
elif [ "$compiler" != "$known" ]; then
	echo "bench-core: NOT COMPARED: the budget is for $known," \
		"this is $compiler"
	compare=no
fi

passed=0 failed=0
printf '%-18s %12s %8s %8s\n' 'request, depth' instructions budget ns
for depth in 1 64; do for disk in null mem; do for op in READ WRITE; do
	n=$(instructions $disk $op $depth)
	ns=$("$prog" $disk $op $depth $timed)
	most=$(awk -v c="$disk $op $depth" 'c == $1 " " $2 " " $3 { print $4 }' \
		"$budget" 2>/dev/null || :)
	printf '%-18s %12d %8s %8d\n' "$disk $op $depth" "$n" "${most:--}" "$ns"
	echo "$disk $op $depth $n" >>"$tmp/new"
	[ $compare = yes ] || continue
	if [ -n "$most" ] && [ $((n * 100)) -le $((most * (100 + margin))) ]; then
		passed=$((passed + 1))
		[ $((n * 100)) -ge $((most * (100 - margin))) ] ||
			echo "bench-core: $disk $op, depth $depth: well below" \
				"the budget; make bench-core-budget lowers it"
		continue
	fi
	failed=$((failed + 1))
	echo "bench-core: $disk $op, depth $depth: $n instructions a request," \
		"the budget is ${most:-missing} (and $margin %). If it has to be:" \
		"make bench-core-budget, and say why in the commit." >&2
done; done; done

if [ $record = yes ]; then
	cp "$tmp/new" "$budget"
	echo "bench-core: written: $budget"
	exit
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
