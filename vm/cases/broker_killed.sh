# shellcheck shell=bash
# The broker is killed: I/O goes on, the daemon says so and ends, --delete clears (15 s)
demo_start --size 64M
# the oldest: a child of its own may be writing the scheduler
broker=$(pgrep -ox ublkev-broker) || fail "there is no broker"
[ "$(readlink "/proc/$broker/cwd")" = / ] || fail "the broker's directory"
kill -TERM "$broker"
kill -HUP "$broker"
kill -INT "$broker"
sleep 0.2
! dead "$broker" || fail "a signal ended the broker"
kill -KILL "$broker"
# its parent reaps it when it ends itself
wait_for 5 dead "$broker" || fail "the broker cannot be killed"
random_file ref $((1 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
same ref || fail "the disk without a broker"
kill -TERM "$DEMO_PID"
wait_for 20 dead "$DEMO_PID" || fail "the daemon does not end"
status=0
wait "$DEMO_PID" || status=$?
cat "$DEMO_LOG"
[ $status = 1 ] || fail "status $status, not 1"
[ "$(grep -c broker "$DEMO_LOG")" = 1 ] || fail "not one line on the broker"
timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" >del.out 2>&1
status=$?
cat del.out
[ $status = 0 ] || grep -q "no such device" del.out ||
	fail "--delete $ID: status $status"
wait_for 5 no_device "$ID" || fail "device $ID is still there"
new_device
