# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/lib.jq: what the others include.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# a column of so many characters, flush left or right
def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def lpad($n): tostring | " " * ([$n - length, 0] | max) + .;

# names of disks, each once, ours first, behind each its variants, then those
# of others, which the list does not have
def disks: ["null", "busy", "mem", "loop", "brd", "null_blk", "nbd"] as $order
	| unique | sort_by([(split(",")[0] as $d | ($order | index($d)) // 99), .]);
