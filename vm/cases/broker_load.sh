# shellcheck shell=bash
# kill -9 under load: clients get errors, the broker deletes, the number serves again (5 s)
demo_start --size 64M
fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring --rw=randrw \
	--bs=4k --iodepth=64 --time_based --runtime=60 --eta=never \
	>fio.load 2>&1 &
fio=$!
# shellcheck disable=SC2317
busy() {
	[ "$(stat_of .ops.WRITE.reqs)" -gt 1000 ]
}
wait_for 30 busy || fail "fio does not get going"
kill -KILL "$DEMO_PID"
t=$(seconds)
wait_for 2 dead "$DEMO_PID" || fail "not reaped after 2 s"
wait "$DEMO_PID"
note "dead after $(since "$t") s"
# A server that had every request fails them at the block layer's time-out.
wait_for 45 dead $fio || fail "fio hangs"
note "fio ended after $(since "$t") s"
! wait $fio || fail "fio saw no error"
wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
note "device gone after $(since "$t") s"
wait_for 10 no_broker || fail "the broker is still there"
new_device
