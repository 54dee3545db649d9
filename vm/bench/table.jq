# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/table.jq: the cells of vm/bench/measure as a table.

def median: sort | if length == 0 then null
	elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2] + .[length / 2 - 1]) / 2 end;
def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def lpad($n): tostring | " " * ([$n - length, 0] | max) + .;
def kilo: . / 100 | round / 10;

. as $all
| [.cells[].disk] | reduce .[] as $d ([]; if index($d) then . else . + [$d] end)
| . as $disks
| def cells($d; $rw; $qd): [$all.cells[]
	| select(.disk == $d and .rw == $rw and .qd == $qd)];
def column($d; $rw; $qd):
	cells($d; $rw; $qd) as $c
	| if $all.mode == "path" then "\([$c[].instr] | median)"
	  else "\([$c[].iops] | min | kilo)/\([$c[].iops] | median | kilo)" +
	    "/\([$c[].iops] | max | kilo)" end;
# Median over the rounds of how this disk did beside the first one.
def ratio($d; $rw; $qd):
	[cells($d; $rw; $qd), cells($disks[0]; $rw; $qd)] | transpose
	| map(.[0].iops / .[1].iops) | median | . * 100 | round / 100;
(if $all.mode == "path"
 then "instructions per 4 KiB I/O, whole path, \($all.kernel)"
 else "thousands of IOPS, min/median/max, \($all.kernel), \($all.cpus) " +
	"CPUs, \($all.accel)" end),
(("disk" | pad(10)) + ([(1, 64) as $q | ("read", "write")
	| "QD\($q) \(.)" | lpad(18)] | add)),
($disks[] as $d | ($d | pad(10)) + ([(1, 64) as $q | ("read", "write") as $w
	| column($d; $w; $q) | lpad(18)] | add)),
(if $all.mode == "speed" then
	"", "QD1 latency, microseconds, p50/p99",
	($disks[] as $d | ($d | pad(10)) + ([("read", "write") as $w
		| cells($d; $w; 1) | "\([.[].p50_us] | median * 10 | round / 10)" +
		"/\([.[].p99_us] | median * 10 | round / 10)" | lpad(18)] | add)),
	(if ($disks | length) > 1 then
		"", "times the IOPS of \($disks[0]), median of the rounds",
		($disks[1:][] as $d | ($d | pad(10)) + ([(1, 64) as $q
			| ("read", "write") as $w
			| ratio($d; $w; $q) | lpad(18)] | add))
	else empty end)
 else empty end)
