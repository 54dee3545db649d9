# shellcheck shell=bash
# kill -9 while STOP_DEV waits for an answer: reaped at once, the broker deletes (5 s)
hold_start
hold_live
kill -USR1 "$HOLD_PID"
hold_said 5 '^holding'
dd if="$DEV" of=/dev/null bs=4k count=1 iflag=direct 2>dd.err &
dd=$!
hold_said 5 '^held: READ'
kill -TERM "$HOLD_PID"
hold_said 5 'STOP_DEV$'
sleep 0.5
! grep -q 'STOP_DEV: ' "$HOLD_LOG" || fail "STOP_DEV did not wait"
hold_kill
wait_for 5 dead $dd || fail "the reader hangs"
! wait $dd || fail "the reader saw no error"
cat dd.err
grep -q 'error' dd.err || fail "the reader's error"
new_device
