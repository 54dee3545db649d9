# SPDX-License-Identifier: BSD-2-Clause
# Records, older ones first, become an array with one record a line: the last
# of each kernel, by release. One without a release, and not an error of the
# boot's own (124 and up), is of a kernel that could not be had.
def order: [(.release // .kernel) | scan("[0-9]+") | tonumber];
[map(select(.release or (.status // 0) >= 124)) | map(del(.status)) |
	group_by(.kernel)[] | last] | sort_by(order, .kernel) |
"[", (map(tojson) | join(",\n")), "]"
