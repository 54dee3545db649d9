# shellcheck shell=bash
# The successor goes before it is done: the old server takes the device back (20 s)
# timeout: 150
demo_start --size 32M --recovery reissue
sock=$DEMO_SOCK
if ! has_feature QUIESCE; then
	demo_stop
	skip "without QUIESCE_DEV the old server cannot stay"
fi
random_file ref $((1 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
# One that says 'release' and goes.
for i in 1 2 3; do
	[ "$(ask_in_turn memory release | jq .released)" = true ] ||
		fail "not released"
	# shellcheck disable=SC2317
	again() {
		[ "$(grep -c 'again$' "$DEMO_LOG")" = "$i" ]
	}
	wait_for 10 again || fail "not taken back: $(tail -n1 "$DEMO_LOG")"
	same ref || fail "the data, round $i"
done
# And successors that are killed at some moment of it.
for ms in 0 50 100 150 200 250 300 400; do
	"$UBLK_EVDEMO" --take-over "$sock" --control none >kill.out 2>&1 &
	pid=$!
	sleep "$(awk "BEGIN { print 0.1 + $ms / 1000 }")"
	kill -KILL $pid
	wait $pid
	! dead "$DEMO_PID" || break
done
if dead "$DEMO_PID"; then
	# This one was done: the device waits, its data went with it.
	note "killed after $ms ms, when it was done"
	wait "$DEMO_PID" || fail "the old server ended with $?"
	wait_for 10 no_broker || fail "the broker is still there"
	timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" || fail "--delete"
	DEMO_PID=
else
	wait_for 10 test -S "$sock" || fail "no control socket"
	# shellcheck disable=SC2317
	serves() {
		[ "$(stat_of .state)" = LIVE ]
	}
	wait_for 20 serves || fail "does not serve on"
	same ref || fail "the data"
	demo_stop
fi
