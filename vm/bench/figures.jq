# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/figures.jq: the records of vm/bench/inside, one a line.

include "lib";

def short: if . >= 100 then round else . * 1000 | round / 1000 end;

"inside the server, Linux \(.[0].kernel), \(.[0].cpus) CPU\(
	if .[0].cpus > 1 then "s" else "" end), \(.[0].accel)\(
	if .[0].clock == "instructions" then ", 1 instruction a ns"
	else "" end)",
(.[] | ([if .devices then "\(.devices) device\(
		if .devices > 1 then "s" else "" end)" else empty end,
	.disk, .load, if .qd then "QD\(.qd)" else empty end,
	.quantile] | map(select(.)) | join(" ")) as $where
	| "\(.what | pad(31))\($where | pad(26))\(.figure | short | lpad(9))"
	+ (if .unit != "" then " " + .unit else "" end)
	+ (if .calls then " (\(.calls))" else "" end))
