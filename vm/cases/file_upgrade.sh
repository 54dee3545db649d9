# shellcheck shell=bash
# a disk somewhere in a file: upgraded, killed and recovered it is where it was (30 s)
# timeout: 240
demo_start --size 32M --file img --offset 1M --buffered --thin \
	--recovery reissue --pidfile "$PWD/pid"
SOCK=$DEMO_SOCK
random_file ref $((4 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct conv=fsync status=none || fail "write"
for _ in 1 2; do
	old=$DEMO_PID
	DEMO_PLAIN=1 demo_start --take-over "$SOCK"
	DEMO_SOCK=$SOCK
	wait_for 10 dead "$old" || fail "the old server does not end"
	wait "$old" || fail "the old server ended with $?"
	same ref || fail "the data after an upgrade"
	[ "$(cat pid)" = "$DEMO_PID" ] || fail "the pidfile after an upgrade"
	demo_kill
	DEMO_PLAIN=1 demo_start --recover "$ID"
	DEMO_SOCK=$SOCK
	same ref || fail "the data after a recovery"
	[ "$(cat pid)" = "$DEMO_PID" ] || fail "the pidfile after a recovery"
	demo_json memory | jq -e '.offset_bytes == 1048576 and .buffered' \
		>/dev/null || fail "options were lost: $(demo_json memory)"
done
demo_stop
cmp -n $((4 << 20)) -i 0:$((1 << 20)) ref img || fail "it is elsewhere"
cmp -n $((1 << 20)) img /dev/zero || fail "something is before it"
