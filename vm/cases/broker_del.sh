# shellcheck shell=bash
# kill -9 while DEL_DEV waits for an opener: reaped at once, the broker deletes (5 s)
hold_start
hold_live
exec 3<"$DEV"
kill -TERM "$HOLD_PID"
hold_said 5 'DEL_DEV$'
sleep 0.5
! grep -q 'DEL_DEV: ' "$HOLD_LOG" || fail "DEL_DEV did not wait"
hold_kill
# Not from the first pages, which the partition scan has left in the cache.
dd bs=4k skip=1000 count=1 <&3 of=/dev/null 2>dd.err &&
	fail "the opener saw no error"
exec 3<&-
new_device
