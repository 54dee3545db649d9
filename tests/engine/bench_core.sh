#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tests/engine/bench_core.sh: the instructions of a process that serves
# requests, per request, compared with tests/engine/bench_core.budget.
#
# All that tests/engine/bench_core runs outside the kernel is counted: this
# library, libev, liburing and the C library, from one sleep to the next. Not
# counted is the driver's stand-in, which is below tests/; and what memcpy and
# memset do, for those are a request's data. callgrind hides the vDSO: a look at
# the clock is taken to be as long as the vDSO's is on x86. The count is the
# same on every run; the nanoseconds beside it are this machine's.
set -eu

usage() {
	cat <<-END
	usage: bench_core.sh [--record]

	Run by "make bench-core" in the build directory; --record, by "make
	bench-core-budget", writes what it finds as the new budget.
	Status: 0; 1 above the budget, or, with UBLKEV_REQUIRE_VM=1, no
	valgrind or io_uring; 77 no valgrind or io_uring.
	END
}

src=$(cd "$(dirname -- "$0")" && pwd)
budget=$src/bench_core.budget
prog=tests/engine/bench_core
margin=2	# percent
reqs=20000	# counted
timed=200000
clock=100	# instructions of the vDSO's clock_gettime(CLOCK_MONOTONIC)

record=no
case ${1-} in
'') ;;
--record) record=yes ;;
--help) usage; exit 0 ;;
*) echo "bench_core.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
esac

# cannot WHY
cannot() {
	echo "bench-core: $*" >&2
	[ "${UBLKEV_REQUIRE_VM:-0}" = 1 ] || exit 77
	echo "0 passed, 1 failed"
	exit 1
}

command -v valgrind >/dev/null ||
	cannot "no valgrind on this machine: run ./bootstrap," \
		"or install the package valgrind"
"$prog" null READ 1 1 >/dev/null ||
	cannot "this host does not give us an io_uring"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# instructions BACKEND OP DEPTH: all of them, and those of src/
instructions() {
	looks=$(valgrind -q --tool=callgrind --callgrind-out-file="$tmp/out" \
		--collect-atstart=no --toggle-collect=measure \
		--toggle-collect=bench_before --toggle-collect=bench_after \
		--toggle-collect=bench_sleep \
		"$prog" "$@" $reqs stepped)
	# "fl=(7) name" says in whose file a function is, "fn=" its name, "fi=" and
	# "fe=" whose lines follow; a name is told once, and also in "cfi=" and
	# "cfn=" of a called function. Below it are lines "WHERE COUNT", of which
	# the one behind a "calls=" is what the called function took.
	awk -v reqs=$reqs -v clock=$clock -v looks="$looks" '
		/^c?f[lien]=/ {
			key = substr($0, 1, index($0, "=") - 1)
			id = name = substr($0, index($0, "=") + 1)
			sub(/\).*/, "", id); sub(/^[^ ]* ?/, "", name)
			id = (key ~ /n$/) id
			if (name != "")
				names[id] = name
			name = names[id]
			if (key == "fl")
				stand_in = name ~ /(^|\/)tests\//
			if (key == "fn")
				data = name ~ /^_*mem(cpy|move|set)/
			if (key ~ /^f[lie]/)
				ours = name ~ /(^|\/)src\//
		}
		/^calls=/ { skip = 1; next }
		/^[0-9+*-]/ {
			if (!skip && !stand_in && !data) {
				sum += $2
				if (ours)
					own += $2
			}
			skip = 0
		}
		END { printf "%.0f %.0f\n", sum / reqs + looks * clock,
			own / reqs }' "$tmp/out"
}

compiler=$("$prog")
known=$(sed -n 's/^compiler //p' "$budget" 2>/dev/null || :)
cat >"$tmp/new" <<END
# What a request of 4 KiB may cost the process that serves it, in instructions
# outside the kernel; see HACKING.md, "Measuring". Written by make
# bench-core-budget.
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
printf '%-18s %12s %8s %8s %8s\n' 'request, depth' instructions budget src/ ns
for depth in 1 64; do for disk in null mem part; do for op in READ WRITE; do
	both=$(instructions $disk $op $depth)
	n=${both% *}
	ns=$("$prog" $disk $op $depth $timed)
	most=$(awk -v c="$disk $op $depth" 'c == $1 " " $2 " " $3 { print $4 }' \
		"$budget" 2>/dev/null || :)
	printf '%-18s %12d %8s %8d %8d\n' "$disk $op $depth" "$n" "${most:--}" \
		"${both#* }" "$ns"
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
