# shellcheck shell=bash
# A 1 ms timer and an echo socket in the device's loop while fio runs (25 s)
# timeout: 180
[ -x "$BUILD/tests/e2e/e2e_latency" ] || fail "tests/e2e/e2e_latency was not built"
for load in 4k 128k; do
	: > latency.out
	"$BUILD/tests/e2e/e2e_latency" 60 > latency.out &
	pid=$!
	# shellcheck disable=SC2317
	live() {
		grep -q '^/dev/ublkb' latency.out || dead "$pid"
	}
	wait_for 30 live || fail "no device"
	# shellcheck disable=SC2034  # for fio_run
	DEV=$(grep -m1 '^/dev/ublkb' latency.out)
	fio_run load.$load --rw=randrw --bs=$load --iodepth=64 --size=32M \
		--time_based --runtime=6 --output-format=terse
	kill -TERM $pid
	wait_for 20 dead "$pid" || fail "still there 20 s after SIGTERM"
	wait $pid || fail "e2e_latency ended with $?"
	# figures for people: what they are is the machine's affair, that
	# the timer and the socket were served at all is the case's
	grep 'p50' latency.out | while read -r line; do
		note "fio $load: $line"
	done
	[ "$(grep -c p50 latency.out)" = 2 ] ||
		fail "no figures: $(cat latency.out)"
done
