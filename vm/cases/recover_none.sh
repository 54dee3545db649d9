# shellcheck shell=bash
# No recovery: requests fail, the broker deletes the device, --recover says so (5 s)
hold_start --recovery 0
hold_live
kill -USR1 "$HOLD_PID"
hold_said 5 '^holding'
dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct 2>dd.a &
dd=$!
hold_said 5 '^held: WRITE'
hold_kill
wait_for 45 dead $dd || fail "the writer hangs"
! wait $dd || fail "the writer saw no error"
demo_refuses 1 --recover "$ID" --backend null
grep -q 'No such device' refuse.err || fail "does not say what is wrong"
# One that is alive, and cannot be recovered.
demo_start --size 16M
demo_refuses 1 --recover "$ID" --backend null --size 16M
[ "$(stat_of .state)" = LIVE ] || fail "it disturbed the server"
demo_stop
