# shellcheck shell=bash
# kill -9 while requests go on coming: each of them ends, and the device goes (10 s)
# timeout: 240
! has_fault exit_loses_work || skip "this kernel may lose such a request"
for _ in $(seq "${ROUNDS:-5}"); do
	demo_start --size 64M --depth 4096 --max-io 4K --queues 2
	# Nobody answers, so that nobody waits for an answer before he goes on.
	kill -STOP "$DEMO_PID"
	fio --name=flood --filename="$DEV" --direct=1 --ioengine=io_uring \
		--rw=randwrite --bs=4k --iodepth=4096 --numjobs=2 --thread \
		--time_based --runtime=60 --eta=never >/dev/null 2>&1 &
	fio=$!
	end=$((SECONDS + 30)) writes=0
	until [ "$writes" -gt 200 ]; do
		[ $SECONDS -lt $end ] || fail "fio does not get going"
		read -r _ writes <"/sys/block/ublkb$ID/inflight"
	done
	kill -KILL "$DEMO_PID"
	wait_for 5 dead "$DEMO_PID" || fail "not reaped after 5 s"
	wait "$DEMO_PID" 2>/dev/null
	wait_for 45 dead $fio || fail "fio hangs"
	! wait $fio || fail "fio saw no error"
	wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
	note "killed with $writes writes out"
done
wait_for 10 no_broker || fail "the broker is still there"
new_device
