# shellcheck shell=bash
# A device comes, says what it is, and goes on SIGTERM and SIGINT (3 s)
# tag: simple
for sig in TERM INT; do
	demo_start --size 64M
	[ "$(blockdev --getsize64 "$DEV")" = $((64 << 20)) ] || fail "size"
	[ "$(blockdev --getss "$DEV")" = 512 ] || fail "logical block"
	[ "$(stat_of .state)" = LIVE ] || fail "state"
	[ "$(stat_of .device)" = "$DEV" ] || fail "device's name"
	t=$(seconds)
	kill -$sig "$DEMO_PID"
	demo_ended 5
	note "gone $(since "$t") s after SIG$sig"
done
