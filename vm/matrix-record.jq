# SPDX-License-Identifier: BSD-2-Clause
# One kernel's record from the log of its cases, which is the input as one
# string; $kernel, $date, $scope, $status and $features are given.
(split("\n") | map(select(length > 0))) as $lines |
def found($re): map(capture($re));
($lines | found("^(?<passed>[0-9]+) passed, [0-9]+ failed, [0-9]+ skipped, "
	+ "[0-9]+ s on (?<release>[^ ;]+)") | last) as $sum |
($lines | found("^FAIL (?<case>\\w+) \\([0-9]+ s\\): (?<why>.*)")) as $failed |
($lines | found("^skip (?<case>\\w+): (?<why>.*)")) as $skipped |
{
	kernel: $kernel, release: ($sum.release // null), date: $date,
	cases: $scope, passed: (($sum.passed // "0") | tonumber),
	failed: $failed, skipped: $skipped,
	status: $status, features: ($features.features // null),
	# a boot that failed, or what the kernel said beside its cases
	error: (if $status == 0 or ($failed | length) > 0 then null
		else ($lines | last // "no output") end)
}
