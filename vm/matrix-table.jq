# SPDX-License-Identifier: BSD-2-Clause
# The tables of doc/kernels.md from doc/kernels.json.
def cell: gsub("\\|"; "\\|") | gsub("\\s+"; " ");
def row: "| " + join(" | ") + " |";
def cases: if length == 0 then "-"
	else map("\(.case): \(.why)" | cell) | join("; ") end;
def short: sub("[+].*?(?<f>(-rt|-cloud)?)-amd64$"; .f) |
	sub("[+].*?(?<f>(-rt|-cloud)?-arm64)$"; .f);
. as $all |
"",
"## Results",
"",
(["kernel", "release", "date", "cases", "passed", "failed", "skipped"] | row),
([range(7) | "---"] | row),
($all[] | [.kernel, (.release // "?"), .date, .cases, (.passed | tostring),
	(if (.failed | length) > 0 then "\(.failed | length): \(.failed | cases)"
	 else (.error // "0" | cell) end),
	(if (.skipped | length) > 0 then
		"\(.skipped | length): \(.skipped | cases)"
	 else "0" end)] | row),
"",
"## Features",
"",
"What `ublk-evctl features` says there; what all of them have is left out.",
"",
# each feature with what the kernels say of it, in the order in which it came
[$all[] | select(.features)] as $known |
([$known[].features[]] | unique | map(. as $f | { f: $f,
	has: [$known[] | .features | index($f) != null] })) as $features |
(["feature"] + [$known[] | (.release // .kernel) | short] | row),
(["---"] + [$known[] | "---"] | row),
($features | sort_by((.has | index(true)), .f)[] | select(.has | all | not) |
	["`\(.f)`"] + [.has[] | if . then "yes" else "-" end] | row),
""
