# shellcheck shell=bash
# --io-flusher: the flags of the thread, and the refusal without the right to (3 s)
flusher() {
	local f
	f=$(awk '{ print $9 }' "/proc/$1/task/$1/stat")
	# PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE
	[ $((f & 0x180000)) = $((0x180000)) ]
}
demo_start --size 16M --io-flusher
flusher "$DEMO_PID" || fail "the thread's flags"
demo_stop
# Without being asked for it is tried, and no more than that.
demo_start --size 16M
flusher "$DEMO_PID" || fail "not tried"
demo_stop
# shellcheck disable=SC2034  # for demo_refuses
DEMO_WRAP="setpriv --bounding-set -sys_resource --inh-caps -sys_resource"
demo_refuses 1 --size 16M --io-flusher
grep -q 'Permission denied\|Operation not permitted' refuse.err ||
	fail "does not say why"
