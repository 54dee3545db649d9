# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/table.jq: the records of vm/bench/measure as tables, one a load and
# number of queues; behind a disk's name the scheduler that it had, with a star
# where it came up with it.

include "lib";

def kilo: . / 100 | round / 10;
def figure: if .mode == "path" then .figure
	else "\(.rounds | min | kilo)/\(.figure | kilo)/\(.rounds | max | kilo)"
	end;
# Median over the rounds of how it did beside another one.
def ratio($other): [.rounds, $other.rounds] | transpose
	| map(.[0] / .[1]) | median * 100 | round / 100;

.[0] as $one
| (if $one.mode == "path"
   then "instructions per I/O, whole path, Linux \($one.kernel)"
   else "thousands of IOPS, min/median/max, Linux \($one.kernel), " +
	"\($one.cpus) CPUs, \($one.accel)" end),
  (group_by([.queues, .load])[] | . as $cells
   | (map(.qd) | unique) as $qds
   | (map(.disk) | disks | map(. as $d | (["up", "none"][] as $s
	| first($cells[] | select(.disk == $d and .state == $s))
	| { disk, state, scheduler }))) as $disks
   | def cell($d; $qd): $cells[] | select(.disk == $d.disk and
	.state == $d.state and .qd == $qd);
     def name: "\(.disk) \(.scheduler)\(if .state == "up" then "*"
	else "" end)";
     def row($name; f): ($name | pad(26)) + ([f | lpad(20)] | add);
     "",
     row("\(.[0].load), \(.[0].queues) queue\(
	if .[0].queues > 1 then "s" else "" end)"; $qds[] | "QD\(.)"),
     ($disks[] as $d | row($d | name; $qds[] as $q | cell($d; $q) | figure)),
     (if $one.mode == "speed" then
	" p50/p99 in us",
	($disks[] as $d | row($d | name; $qds[] as $q | cell($d; $q)
		| "\(.p50_us | round)/\(.p99_us | round)")),
	(($disks | first(.[] | select(.disk == "loop")) // .[0]) as $other
	 | " times \($other | name)", ($disks - [$other] | .[] as $d
		| row($d | name; $qds[] as $q
		| cell($d; $q) | ratio(cell($other; $q)))))
      else empty end))
