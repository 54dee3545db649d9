# shellcheck shell=bash
# SIGTERM to an idle device: gone in a second; to one with dirty pages: all written (5 s)
demo_start --size 64M
sleep 0.5
t=$(seconds)
kill -TERM "$DEMO_PID"
demo_ended 5
took=$(since "$t")
note "idle: $took s"
# Emulation is slow and the machine not ours; by hand it is a tenth of that.
less "$took" 2 || fail "took $took s"

demo_start --size 64M
dd if=/dev/zero of="$DEV" bs=1M count=32 status=none || fail "write"
t=$(seconds)
kill -TERM "$DEMO_PID"
demo_ended 10
note "32 MiB dirty: $(since "$t") s"

# Twice, and before the device is there at all.
for delay in 0 0.02 0.1 0.3; do
	"$UBLK_EVDEMO" --size 16M >early.out 2>early.err &
	pid=$!
	sleep $delay
	kill -TERM $pid
	wait_for 10 dead $pid || fail "SIGTERM after $delay s is not heeded"
	wait $pid
	status=$?
	# Before main() has its handlers the signal simply kills.
	[ $status = 0 ] || [ $status = 143 ] || fail "SIGTERM after $delay s: \
status $status: $(cat early.err)"
	! compgen -G '/dev/ublkc[0-9]*' || fail "SIGTERM after $delay s: a device \
is left"
done
